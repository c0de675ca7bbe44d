// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which of the known words was probably meant.

/// The known words most like `word`, best first; at most three.
pub(crate) fn words<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = word.to_lowercase();
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let other = name.to_lowercase();
            let edits = strsim::damerau_levenshtein(&lower, &other);
            let part = lower.len() >= 2 && (other.starts_with(&lower) || other.contains(&lower));
            // Half of a short word may be wrong, three letters of a long one.
            (part || edits <= (lower.chars().count() / 2).clamp(1, 3)).then_some((edits, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// `did you mean 'a' or 'b'?`, or nothing when no word is near.
pub(crate) fn question<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let quoted: Vec<String> = words(word, known).into_iter().map(|name| format!("'{name}'")).collect();
    let (last, front) = quoted.split_last()?;
    Some(if front.is_empty() {
        format!("did you mean {last}?")
    } else {
        format!("did you mean {} or {last}?", front.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["demo", "web1", "web2", "mail"];

    #[test]
    fn near_words_are_found() {
        assert_eq!(words("dmeo", NAMES), ["demo"]);
        assert_eq!(words("web", NAMES), ["web1", "web2"]);
        assert_eq!(words("WEB1", NAMES), ["web1", "web2"]);
        assert!(words("quite-different", NAMES).is_empty());
        assert_eq!(words("wbe1", NAMES), ["web1", "web2"]);
        assert!(words("", NAMES).is_empty());
    }

    #[test]
    fn the_question_reads_well() {
        assert_eq!(question("mali", NAMES).as_deref(), Some("did you mean 'mail'?"));
        assert_eq!(question("web3", NAMES).as_deref(), Some("did you mean 'web1' or 'web2'?"));
        assert_eq!(question("zzzzzz", NAMES), None);
    }
}
