// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding and reading a configuration as `xn create` and `xn config-update` name it.

use crate::error::{At, Class, Failure};
use crate::output;
use domain_builder::config::{self, Config, Parsed, Source};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where files are looked for whose name has no slash, besides the current directory.
const FOLDER: &str = "/etc/xen";
/// What settings on the command line are called in messages.
const WORDS: &str = "command line";

/// Reads the configuration in the file that is named by `-f` or by the first word, with all other words (`KEY=VALUE`) as settings that override.
/// Warnings go to standard error.
pub(crate) fn read(defconfig: Option<&str>, words: &[String]) -> Result<Config, Failure> {
    let (file, overrides) = split(defconfig, words)?;
    let path = find(file)?;
    let text = fs::read(&path).map_err(|error| unreadable(&path.display().to_string(), &error))?;
    let name = path.display().to_string();
    let extra = overrides.join("\n");
    let mut sources = vec![Source { name: &name, text: &text }];
    if !extra.is_empty() {
        sources.push(Source { name: WORDS, text: extra.as_bytes() });
    }
    let Parsed { config, warnings } = config::parse(&sources).map_err(|error| Failure::new(Class::Usage, error))?;
    for warning in warnings {
        output::note(format_args!("warning: {warning}"));
    }
    absolute(config)
}

/// Tells the file from the settings.
fn split<'a>(defconfig: Option<&'a str>, words: &'a [String]) -> Result<(&'a str, &'a [String]), Failure> {
    let missing = || Failure::new(Class::Usage, "no configuration file").remedy("name one: xn create demo.cfg");
    let (file, rest) = match (defconfig, words) {
        (Some(file), words) => (file, words),
        (None, [file, rest @ ..]) if !file.contains('=') || Path::new(file).exists() => (file.as_str(), rest),
        (None, _) => return Err(missing()),
    };
    match rest.iter().find(|word| !word.contains('=')) {
        Some(word) => {
            let why = format!("'{word}' is neither a setting nor the only file");
            Err(Failure::new(Class::Usage, why).remedy("write settings as KEY=VALUE, in quotes if they have spaces"))
        }
        None => Ok((file, rest)),
    }
}

/// `demo`: here, here with `.cfg`, in `/etc/xen`, there with `.cfg`. A name with a slash is taken as it is.
fn find(file: &str) -> Result<PathBuf, Failure> {
    if file.contains('/') {
        return Ok(file.into());
    }
    let names = [file.to_owned(), format!("{file}.cfg")];
    let folders = [Path::new(""), Path::new(FOLDER)];
    let candidates: Vec<PathBuf> =
        folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))).collect();
    match candidates.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => {
            let why = format!("there is no configuration {file}");
            Err(Failure::new(Class::Usage, why).remedy(format!("looked for {}", list(&candidates))))
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths
        .iter()
        .map(|path| if path.is_absolute() { path.display().to_string() } else { format!("./{}", path.display()) })
        .collect();
    names.join(", ")
}

fn unreadable(path: &str, error: &io::Error) -> Failure {
    Failure::new(Class::Usage, format!("{path}: {error}")).remedy("name a configuration file that can be read")
}

/// Makes paths independent of the current directory: the monitor has another.
fn absolute(mut config: Config) -> Result<Config, Failure> {
    let make = |path: &Path| {
        std::path::absolute(path).map_err(|error| Failure::new(Class::Failed, error)).at(|| path.display().to_string())
    };
    config.kernel = make(&config.kernel)?;
    config.ramdisk = config.ramdisk.as_deref().map(make).transpose()?;
    for disk in &mut config.disks {
        disk.target = make(Path::new(&disk.target))?.to_string_lossy().into_owned();
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn files_and_settings_are_told_apart() {
        let all = words(&["demo.cfg", "memory=128"]);
        assert_eq!(split(None, &all), Ok(("demo.cfg", &all[1..])));
        let settings = words(&["memory=128"]);
        assert_eq!(split(Some("x"), &settings), Ok(("x", &settings[..])));
        assert_eq!(split(None, &settings).unwrap_err().class(), Class::Usage);
        assert_eq!(split(None, &words(&["a", "b"])).unwrap_err().class(), Class::Usage);
    }

    #[test]
    fn a_missing_file_is_named_with_all_places() {
        let text = find("no-such-domain").unwrap_err().to_string();
        assert!(text.contains("./no-such-domain.cfg, /etc/xen/no-such-domain,"), "{text}");
    }
}
