// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of `hypercalls/README.md` that says which tool asks for which operation, compared with what the hypervisor counted
//! while the tool ran.

use std::collections::BTreeSet;

const TABLE: &str = include_str!("../../../hypercalls/README.md");
const HEADING: &str = "### Which tool asks for what";

/// What `tool`, a heading of the table, is said to ask for and did not, and the other way round. `output` has the words of the
/// prelude's `asked`.
pub(crate) fn differences(tool: &str, output: &str) -> Vec<String> {
    compare(&claimed(TABLE, tool), &counted(output))
}

fn compare(claimed: &BTreeSet<String>, counted: &BTreeSet<String>) -> Vec<String> {
    if counted.is_empty() {
        return vec!["the hypervisor has counted nothing".into()];
    }
    let stale = claimed.difference(counted).map(|op| format!("{op}: in the table, but not asked for"));
    stale.chain(counted.difference(claimed).map(|op| format!("{op}: asked for, but not in the table"))).collect()
}

/// Operations, as "call operation", that were counted.
fn counted(output: &str) -> BTreeSet<String> {
    let line = |line: &str| Some(line.strip_prefix("asked ")?.rsplit_once(": ")?.0.to_owned());
    output.lines().filter_map(line).collect()
}

/// Operations that have a mark in the column of `tool`.
fn claimed(text: &str, tool: &str) -> BTreeSet<String> {
    let table = text.split_once(HEADING).map_or("", |(_, rest)| rest);
    let mut rows = table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        row.trim_matches('|').split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect::<Vec<_>>()
    };
    let column = rows.next().and_then(|row| cells(row).iter().position(|cell| cell == tool));
    let marked = |row: &str| {
        let cells = cells(row);
        let [call, operation, ..] = &cells[..] else { return None };
        (cells.get(column?)? == "x").then(|| format!("{call} {operation}"))
    };
    rows.filter_map(marked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "| no | table |\n### Which tool asks for what\n\nWords.\n\n| call | operation | `xl` | `virsh` |\n|---|---|---|---|\n\
        | `domctl` | createdomain | x | x |\n| `sysctl` | physinfo | x | |\n\nMore.\n| `domctl` | other | x | x |\n";

    #[test]
    fn the_table_is_read_by_columns() {
        let set = |ops: &[&str]| ops.iter().map(|&op| op.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(claimed(SMALL, "xl"), set(&["domctl createdomain", "sysctl physinfo"]));
        assert_eq!(claimed(SMALL, "virsh"), set(&["domctl createdomain"]));
        assert_eq!(claimed(SMALL, "xm"), set(&[]));
    }

    #[test]
    fn both_directions_count() {
        let xl = claimed(SMALL, "xl");
        let all = "noise\nasked domctl createdomain: 3\nasked sysctl physinfo: 12\n";
        assert_eq!(compare(&xl, &counted(all)), [""; 0]);
        let other = all.replace("physinfo", "sched_id");
        assert_eq!(
            compare(&xl, &counted(&other)),
            ["sysctl physinfo: in the table, but not asked for", "sysctl sched_id: asked for, but not in the table"]
        );
        assert_eq!(compare(&xl, &counted("")).len(), 1);
    }
}
