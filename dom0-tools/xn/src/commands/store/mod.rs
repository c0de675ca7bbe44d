// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn store`: the tree that domains and tools share.

use crate::context::Context;
use crate::error::{At, Failure};
use crate::output::OutputArgs;

mod escape;
mod quota;
mod rights;
mod tree;
mod values;
mod watch;

/// What `xn store` can do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show a tree
    Ls(LsArgs),
    /// List the names below a node
    List(ListArgs),
    /// Show values
    Read(ReadArgs),
    /// Write values
    Write(WriteArgs),
    /// Remove nodes with all below them
    Rm(RmArgs),
    /// Say whether nodes exist: exit code 0 if all do, 1 if not
    Exists(PathsArgs),
    /// Show changes as they happen
    Watch(WatchArgs),
    /// Set the rights of a node
    Chmod(ChmodArgs),
    /// Show what domains use of their quotas and how often they were refused
    Quota(QuotaArgs),
}

/// Options of `xn store ls`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn store ls -f /local/domain/1/device")]
pub(crate) struct LsArgs {
    /// Full paths
    #[arg(short = 'f')]
    pub(crate) full: bool,
    /// Rights too: the owner, what others may (n, r, w, b), then single domains
    #[arg(short = 'p')]
    pub(crate) permissions: bool,
    /// Where to begin
    #[arg(default_value = "/")]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn store list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn store list /local/domain")]
pub(crate) struct ListArgs {
    /// Full paths
    #[arg(short = 'p')]
    pub(crate) prefix: bool,
    /// Nodes
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn store read`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn store read /local/domain/1/name")]
pub(crate) struct ReadArgs {
    /// With the paths
    #[arg(short = 'p')]
    pub(crate) prefix: bool,
    /// The bytes as they are: no escapes for control characters, no newline
    #[arg(short = 'R')]
    pub(crate) raw: bool,
    /// Nodes
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn store write`.
#[derive(Debug, clap::Args)]
#[command(after_help = "All or nothing is written.\nExample: xn store write /tool/a 1 /tool/b 2")]
pub(crate) struct WriteArgs {
    /// Nodes and values by turns; \\xNN in a value is one byte
    #[arg(value_name = "PATH VALUE", required = true, num_args = 2.., allow_hyphen_values = true)]
    pub(crate) pairs: Vec<String>,
}

/// Options of `xn store rm`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn store rm /tool/a")]
pub(crate) struct RmArgs {
    /// Remove nodes above that become empty too
    #[arg(short = 't')]
    pub(crate) tidy: bool,
    /// Nodes
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<String>,
}

/// Options of `xn store exists`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn store exists /local/domain/1 && echo there")]
pub(crate) struct PathsArgs {
    /// Nodes
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<String>,
}

/// Options of `xn store watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Each watch fires once at its start.\nExample: xn store watch -n 2 @releaseDomain")]
pub(crate) struct WatchArgs {
    /// End after so many events
    #[arg(short = 'n', value_name = "COUNT")]
    pub(crate) count: Option<u64>,
    /// Nodes, or special names such as @introduceDomain
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn store chmod`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A right is one of n r w b and a domain's number; the first names the owner and what all others may.\n\
                        Example: xn store chmod /tool/a n0 r1"
)]
pub(crate) struct ChmodArgs {
    /// All nodes below too
    #[arg(short = 'r')]
    pub(crate) recurse: bool,
    /// All nodes above too, as far as they belong to the same owner
    #[arg(short = 'u')]
    pub(crate) upwards: bool,
    /// The node
    pub(crate) path: String,
    /// Rights
    #[arg(value_name = "RIGHT", required = true)]
    pub(crate) rights: Vec<String>,
}

/// Options of `xn store quota`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn store quota demo")]
pub(crate) struct QuotaArgs {
    /// Set a limit instead, until the server ends
    #[arg(long, value_name = "LIMIT=NUMBER", conflicts_with = "domain")]
    pub(crate) set: Option<String>,
    /// Name or number; all domains without
    pub(crate) domain: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Carries out `xn store`.
pub(crate) fn run(command: &Command, context: &mut Context) -> Result<(), Failure> {
    let done = match command {
        Command::Ls(args) => tree::ls(args, context),
        Command::List(args) => tree::list(args, context),
        Command::Read(args) => values::read(args, context),
        Command::Write(args) => values::write(args, context),
        Command::Rm(args) => values::rm(args, context),
        Command::Exists(args) => values::exists(args, context),
        Command::Watch(args) => watch::run(args, context),
        Command::Chmod(args) => rights::chmod(args, context),
        Command::Quota(args) => quota::run(args, context),
    };
    done.at(|| "store")
}
