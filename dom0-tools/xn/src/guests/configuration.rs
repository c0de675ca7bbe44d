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
    let (files, settings) = split(defconfig, words)?;
    match files.as_slice() {
        [file] => read_file(file, &settings),
        _ => {
            let why = format!("'{}' is neither a setting nor the only file", files.get(1).copied().unwrap_or_default());
            Err(Failure::new(Class::Usage, why).remedy("write settings as KEY=VALUE, in quotes if they have spaces"))
        }
    }
}

/// The same for any number of files; the settings hold for all of them.
pub(crate) fn read_all(defconfig: Option<&str>, words: &[String]) -> Result<Vec<Config>, Failure> {
    let (files, settings) = split(defconfig, words)?;
    files.into_iter().map(|file| read_file(file, &settings)).collect()
}

fn read_file(file: &str, settings: &[&str]) -> Result<Config, Failure> {
    let path = find(file)?;
    let text = fs::read(&path).map_err(|error| unreadable(&path.display().to_string(), &error))?;
    let name = path.display().to_string();
    let extra = settings.join("\n");
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

/// Tells the files, of which there is at least one, from the settings.
fn split<'a>(defconfig: Option<&'a str>, words: &'a [String]) -> Result<(Vec<&'a str>, Vec<&'a str>), Failure> {
    let is_setting = |word: &&str| word.contains('=') && !Path::new(word).exists();
    let (settings, mut files): (Vec<&str>, Vec<&str>) = words.iter().map(String::as_str).partition(is_setting);
    if let Some(file) = defconfig {
        files.insert(0, file);
    }
    if files.is_empty() {
        return Err(Failure::new(Class::Usage, "no configuration file").remedy("name one: xn create demo.cfg"));
    }
    Ok((files, settings))
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
        assert_eq!(split(None, &all), Ok((vec!["demo.cfg"], vec!["memory=128"])));
        let settings = words(&["memory=128"]);
        assert_eq!(split(Some("x"), &settings), Ok((vec!["x"], vec!["memory=128"])));
        assert_eq!(split(None, &settings).unwrap_err().class(), Class::Usage);
        assert_eq!(split(None, &words(&["a", "vcpus=2", "b"])), Ok((vec!["a", "b"], vec!["vcpus=2"])));
        let failure = read(None, &words(&["a", "b"])).unwrap_err();
        assert!(failure.to_string().contains("'b' is neither"), "{failure}");
    }

    #[test]
    fn a_missing_file_is_named_with_all_places() {
        let text = find("no-such-domain").unwrap_err().to_string();
        assert!(text.contains("./no-such-domain.cfg, /etc/xen/no-such-domain,"), "{text}");
    }
}
