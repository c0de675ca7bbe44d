// SPDX-License-Identifier: MIT OR Apache-2.0
//! What commands need: made when it is first asked for, so that a command pays only for what it uses.

use crate::domain::Domain;
use crate::error::{Class, Failure};
use crate::guests::names;
use crate::near;
use crate::output;
use hypercalls::DomId;
use std::fmt;
use std::sync::OnceLock;
use xen_control::{Control, DomainInfo};
use xenstore::client::Client;

/// Passed to every command.
#[derive(Debug)]
pub(crate) struct Context {
    verbose: bool,
    control: OnceLock<Control>,
    store: OnceLock<Client>,
}

impl Context {
    /// Nothing is opened yet.
    pub(crate) fn new(verbose: bool) -> Self {
        Self { verbose, control: OnceLock::new(), store: OnceLock::new() }
    }

    /// Says what is being done, if that is wanted.
    pub(crate) fn say(&self, what: impl fmt::Display) {
        if self.verbose {
            output::note(what);
        }
    }

    /// The hypervisor.
    pub(crate) fn control(&self) -> Result<&Control, Failure> {
        if let Some(control) = self.control.get() {
            return Ok(control);
        }
        let control = Control::open().map_err(|error| Failure::new(Class::Service, error))?;
        Ok(self.control.get_or_init(|| control))
    }

    /// The store.
    pub(crate) fn store(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.store.get() {
            return Ok(client);
        }
        let client = Client::connect()?;
        Ok(self.store.get_or_init(|| client))
    }

    /// The domain that `text` names: digits are a number, anything else a name.
    pub(crate) fn domain(&self, text: &str) -> Result<DomId, Failure> {
        Ok(self.domain_info(text)?.id)
    }

    /// The same, with what the hypervisor says of it.
    pub(crate) fn domain_info(&self, text: &str) -> Result<DomainInfo, Failure> {
        let id = match text.parse::<u16>() {
            Ok(id) if DomId::new(id).is_ordinary() => DomId::new(id),
            _ => self.domain_by_name(text)?,
        };
        // A name whose domain has gone meanwhile is as unknown as any.
        self.control()?
            .domain_info(id)?
            .ok_or_else(|| Failure::new(Class::NoDomain, format!("there is no domain {text}")).remedy("see 'xn list'"))
    }

    /// The domain of this name, digits or not.
    pub(crate) fn domain_by_name(&self, name: &str) -> Result<DomId, Failure> {
        // Quick for our own domains; those of other toolstacks are found by looking at all names.
        if let Some(id) = names::holder(&self.store()?.nodes(), name, None)? {
            return Ok(id);
        }
        let named = self.names()?;
        match named.iter().find(|(_, own)| own == name) {
            Some((id, _)) => Ok(*id),
            None => Err(unknown_name(name, &named)),
        }
    }

    /// The name of a domain, if it has one.
    pub(crate) fn name(&self, domain: DomId) -> Result<Option<String>, Failure> {
        let name = self.store()?.find_text(&format!("/local/domain/{}/name", domain.raw()))?;
        Ok(name.or_else(|| default_name(domain)))
    }

    /// `NAME (ID)` for messages; only the number where the store cannot be asked.
    pub(crate) fn label(&self, domain: DomId) -> String {
        match self.name(domain) {
            Ok(Some(name)) => format!("{name} ({})", domain.raw()),
            _ => format!("domain {}", domain.raw()),
        }
    }

    /// All domains that have names.
    fn names(&self) -> Result<Vec<(DomId, String)>, Failure> {
        let mut named = Vec::new();
        for info in self.control()?.domains()? {
            named.extend(self.name(info.id)?.map(|name| (info.id, name)));
        }
        Ok(named)
    }

    /// The domains that `texts` name, or all. Without a store they have no names, and that is said.
    pub(crate) fn domains(&self, texts: &[String]) -> Result<Vec<Domain>, Failure> {
        let infos = if texts.is_empty() {
            self.control()?.domains()?
        } else {
            texts.iter().map(|text| self.domain_info(text)).collect::<Result<_, _>>()?
        };
        let mut nameless = None;
        let mut domains = Vec::new();
        for info in infos {
            let name = match &nameless {
                None => self.name(info.id).unwrap_or_else(|failure| {
                    nameless = Some(failure);
                    default_name(info.id)
                }),
                Some(_) => default_name(info.id),
            };
            domains.push(Domain::new(info, name));
        }
        if let Some(failure) = nameless {
            output::note(format_args!("names are missing: {failure}"));
        }
        Ok(domains)
    }
}

/// What dom0 is called where nobody has written its name.
fn default_name(domain: DomId) -> Option<String> {
    (domain == DomId::DOM0).then(|| "Domain-0".into())
}

fn unknown_name(name: &str, named: &[(DomId, String)]) -> Failure {
    let known = named.iter().map(|(_, name)| name.as_str());
    let remedy = near::question(name, known).unwrap_or_else(|| "see 'xn list'".into());
    Failure::new(Class::NoDomain, format!("there is no domain '{name}'")).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_list_near_ones() {
        let named: Vec<(DomId, String)> =
            ["Domain-0", "demo", "web"].into_iter().zip(0..).map(|(name, id)| (DomId::new(id), name.into())).collect();
        let failure = unknown_name("deom", &named);
        assert_eq!(failure.to_string(), "there is no domain 'deom'; did you mean 'demo'?");
        assert_eq!(failure.class(), Class::NoDomain);
        assert_eq!(unknown_name("other", &named).to_string(), "there is no domain 'other'; see 'xn list'");
    }
}
