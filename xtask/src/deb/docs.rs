// SPDX-License-Identifier: MIT OR Apache-2.0
//! Manual pages and bash's completion, made of what the programs say for `--help`.

use anyhow::Result;
use harness::process;
use std::path::Path;
use std::process::Command;

/// What `program` says about itself, or about one of its commands.
fn help(program: &Path, command: &[&str]) -> Result<String> {
    process::text(Command::new(program).args(command).arg("--help"))
}

/// The names under "Commands:".
fn commands(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| line.starts_with("  "));
    lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

/// The options, short and long ones.
fn options(help: &str) -> Vec<&str> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = |line| str::split_whitespace(line).take_while(|word| word.starts_with('-'));
    lines.flat_map(words).map(|word| word.trim_end_matches(',')).collect()
}

/// Text as it is, in roff's language.
fn plain(text: &str) -> String {
    let line = |line: &str| {
        let escaped = line.replace('\\', "\\e").replace('-', "\\-");
        let guard = if escaped.starts_with(['.', '\'']) { "\\&" } else { "" };
        format!("{guard}{escaped}\n")
    };
    format!(".nf\n{}.fi\n", text.lines().map(line).collect::<String>())
}

/// The manual page of section 8.
pub(super) fn man_page(program: &Path, version: &str) -> Result<String> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let text = help(program, &[])?;
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let mut page = format!(
        ".TH {} 8 \"\" \"Xenolith {version}\" \"Xenolith\"\n.SH NAME\n{name} \\- {}\n.SH DESCRIPTION\n{}",
        name.to_uppercase(),
        first.trim_end_matches('.'),
        plain(rest.trim_start_matches('\n'))
    );
    for command in commands(&text) {
        page += &format!(".SH {}\n{}", command.to_uppercase(), plain(&help(program, &[command])?));
    }
    Ok(page)
}

/// Completion of commands, their options, and domains' names.
pub(super) fn completion(program: &Path) -> Result<String> {
    let text = help(program, &[])?;
    let names = commands(&text);
    let mut script = format!(
        "_xn() {{\n    local word=${{COMP_WORDS[COMP_CWORD]}} words\n    if [ \"$COMP_CWORD\" = 1 ]; then\n        \
         words='{}'\n    else\n        case ${{COMP_WORDS[1]}}:$word in\n",
        names.join(" ")
    );
    for name in &names {
        let about = help(program, &[name])?;
        script += &format!("        {name}:-*) words='{}' ;;\n", options(&about).join(" "));
        let deeper = commands(&about);
        if !deeper.is_empty() {
            script += &format!("        {name}:*) words='{}' ;;\n", deeper.join(" "));
        }
    }
    script += "        create:* | config-update:*) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n        \
               *) words=$(xn list 2>/dev/null | awk 'NR > 1 { print $1 }') ;;\n        esac\n    fi\n    \
               COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -F _xn xn\n";
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Does it\n\nUsage: x [OPTIONS]\n\nCommands:\n  create      Makes\n  help        Helps\n\nOptions:\n  \
                        -v, --verbose  Say - more\n      --all <X>  All\n";

    #[test]
    fn names_are_taken_out_of_help() {
        assert_eq!(commands(HELP), ["create"]);
        assert_eq!(options(HELP), ["-v", "--verbose", "--all"]);
        assert!(commands("Usage: x\n").is_empty());
    }

    #[test]
    fn roff_takes_text_as_it_is() {
        assert_eq!(plain(".a\\b-c"), ".nf\n\\&.a\\eb\\-c\n.fi\n");
    }
}
