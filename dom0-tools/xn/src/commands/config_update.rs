// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn config-update`.

use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::guests::configuration;
use crate::guests::record::{Lock, Record};
use domain_builder::config::{Config, Uuid};

/// Options of `xn config-update`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The new configuration counts from the domain's next reboot on.\n\
                        Example: xn config-update demo /etc/xen/demo.cfg memory=256")]
pub(crate) struct Args {
    /// Name or number
    pub(crate) domain: String,
    /// The configuration file, if not the next word
    #[arg(short = 'f', long = "defconfig", value_name = "FILE")]
    pub(crate) defconfig: Option<String>,
    /// The configuration file, and settings that override those in it
    #[arg(value_name = "CONFIGFILE|KEY=VALUE")]
    pub(crate) words: Vec<String>,
}

/// Checks the new configuration and stores it.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    update(args, context).at(|| format!("config-update {}", args.domain))
}

fn update(args: &Args, context: &Context) -> Result<(), Failure> {
    let config = configuration::read(args.defconfig.as_deref(), &args.words)?;
    let uuid = Uuid::from_bytes(context.domain_info(&args.domain)?.uuid);
    let _lock = Lock::take(uuid)?;
    let Some(mut record) = Record::load(uuid)? else {
        let why = "nothing is kept of it: another toolstack made it";
        return Err(Failure::new(Class::Conflict, why).remedy("update it with the toolstack that made it"));
    };
    record.config = successor(&record.config, config, uuid)?;
    record.save()
}

/// The configuration that follows: that of the same domain, so name and UUID stay.
fn successor(old: &Config, mut new: Config, uuid: Uuid) -> Result<Config, Failure> {
    if new.name != old.name {
        let why = format!("the configuration is of '{}', the domain is called '{}'", new.name, old.name);
        return Err(Failure::new(Class::Usage, why).remedy("correct 'name', or 'xn rename' the domain first"));
    }
    if new.uuid.is_some_and(|own| own != uuid) {
        let why = format!("the configuration has another 'uuid' than the domain, {uuid}");
        return Err(Failure::new(Class::Usage, why).remedy("remove or correct 'uuid'"));
    }
    new.uuid = Some(uuid);
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain_builder::config::{Source, parse};

    fn config(text: &str) -> Config {
        parse(&[Source { name: "demo.cfg", text: text.as_bytes() }]).unwrap().config
    }

    #[test]
    fn only_the_same_domain_is_updated() {
        let uuid = Uuid::from_bytes([7; 16]);
        let old = config("name='demo'\nkernel='/k'\nmemory=128\n");
        let new = successor(&old, config("name='demo'\nkernel='/k'\nmemory=256\n"), uuid).unwrap();
        assert_eq!((new.memory_mib, new.uuid), (256, Some(uuid)));
        let renamed = config("name='web'\nkernel='/k'\nmemory=256\n");
        assert_eq!(successor(&old, renamed, uuid).unwrap_err().class(), Class::Usage);
        let text = format!("name='demo'\nkernel='/k'\nuuid='{}'\n", Uuid::from_bytes([8; 16]));
        assert_eq!(successor(&old, config(&text), uuid).unwrap_err().class(), Class::Usage);
    }
}
