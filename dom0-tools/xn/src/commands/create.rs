// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn create`.

use crate::commands::console;
use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::guests::configuration;
use crate::guests::creation::{self, Ready, Wish};
use crate::guests::record::{Lock, Record};
use crate::guests::signals::Cancel;
use crate::guests::together;
use crate::monitor;
use domain_builder::Built;
use domain_builder::config::Config;
use serde::Serialize;
use std::time::Duration;
use xen_control::Control;
use xenconsoled::Console;
use xenstore::client::Client;

/// Options of `xn create`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn create -c /etc/xen/demo.cfg memory=256")]
pub(crate) struct Args {
    /// Attach to the console before the domain runs, so that nothing is missed
    #[arg(short = 'c')]
    pub(crate) console: bool,
    /// Leave the domain paused
    #[arg(short = 'p', long)]
    pub(crate) paused: bool,
    /// Say nothing but errors
    #[arg(short = 'q', long)]
    pub(crate) quiet: bool,
    /// Check the configuration and print it; create nothing
    #[arg(short = 'n', long = "dryrun", visible_alias = "dry-run")]
    pub(crate) dry_run: bool,
    /// Stay until the domain ends
    #[arg(short = 'F', long)]
    pub(crate) foreground: bool,
    /// Do not carry out on_poweroff and the like: whoever started this looks after the domain
    #[arg(short = 'e')]
    pub(crate) no_monitor: bool,
    /// Refused: PV guests of this toolstack have no VNC display
    #[arg(short = 'V', long = "vncviewer", hide = true)]
    pub(crate) vncviewer: bool,
    /// A configuration file, if it is not among the words
    #[arg(short = 'f', long = "defconfig", value_name = "FILE")]
    pub(crate) defconfig: Option<String>,
    /// Configuration files, one for each domain, and settings that override those in all of them
    #[arg(value_name = "CONFIGFILE|KEY=VALUE")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// What is printed of a new domain.
#[derive(Debug, Serialize)]
struct Created {
    name: String,
    id: u16,
    uuid: String,
}

/// Creates a domain, or several at once.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    let configs = configuration::read_all(args.defconfig.as_deref(), &args.words).at(|| "create")?;
    match configs.as_slice() {
        [config] => one(args, context, config).at(|| format!("create {}", config.name)),
        _ => several(args, context, &configs),
    }
}

fn one(args: &Args, context: &Context, config: &Config) -> Result<(), Failure> {
    if args.vncviewer {
        return Err(Failure::new(Class::Usage, "-V: PV guests have no VNC display").remedy("use -c for the console"));
    }
    if args.dry_run {
        return args.output.print(config, ToString::to_string);
    }
    let cancel = Cancel::on_signals()?;
    // A connection of its own: watches are set on it.
    let store = Client::connect()?;
    let control = context.control()?;
    let (built, console) = create(args, control, &store, config, &cancel)?;
    cancel.over();
    let created = Created::new(config, &built);
    if args.output.is_json() {
        crate::output::json(&created)?;
    } else {
        created.say(args);
    }
    console.map_or(Ok(()), console::enter)?;
    if args.foreground { wait(control, &store, &built).at(|| "wait for its end") } else { Ok(()) }
}

/// Those that fail leave the others alone.
fn several(args: &Args, context: &Context, configs: &[Config]) -> Result<(), Failure> {
    if args.console || args.foreground || args.vncviewer {
        let why = "-c, -F and -V are for one domain";
        return Err(Failure::new(Class::Usage, why).remedy("name one configuration file").at("create"));
    }
    if args.dry_run {
        let all = |configs: &&[Config]| configs.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        return args.output.print(&configs, all);
    }
    let cancel = Cancel::on_signals()?;
    let control = context.control()?;
    let (created, first) = together::each(configs, |config| {
        let made = Client::connect().map_err(Failure::from).and_then(|store| {
            create(args, control, &store, config, &cancel).map(|(built, _)| Created::new(config, &built))
        });
        made.inspect(|created| created.say(args)).at(|| format!("create {}", config.name))
    });
    cancel.over();
    if args.output.is_json() {
        crate::output::json(&created)?;
    }
    first
}

impl Created {
    fn new(config: &Config, built: &Built) -> Self {
        Self { name: config.name.clone(), id: built.domid.raw(), uuid: built.uuid.to_string() }
    }

    /// Tells people of it.
    fn say(&self, args: &Args) {
        if !args.quiet && !args.output.is_json() {
            crate::output::note(format_args!("{} is domain {}", self.name, self.id));
        }
    }
}

fn create<'a>(
    args: &Args,
    control: &'a Control,
    store: &'a Client,
    config: &Config,
    cancel: &Cancel,
) -> Result<(Built, Option<Console<'a>>), Failure> {
    let ready = Ready::check(config, store, cancel)?;
    let lock = Lock::take(ready.uuid())?;
    if Record::load(ready.uuid())?.is_some() {
        let why = format!("the UUID {} is in use", ready.uuid());
        return Err(Failure::new(Class::Conflict, why).remedy("end that domain first, or remove 'uuid'"));
    }
    let monitored = !args.no_monitor;
    if monitored {
        monitor::ensure()?;
    }
    let built = ready.make(control, store, &lock, Wish { monitored, short_runs: 0 }, cancel)?;
    match start(args, control, store, cancel, &built) {
        Ok(console) => Ok((built, console)),
        Err(failure) => Err(creation::undo(control, store, built.domid, built.uuid, failure)),
    }
}

/// How often to look after the domain although nothing was heard.
const TICK: Duration = Duration::from_secs(10);

/// Waits until the domain is gone, or its number stands for another. Ctrl-C ends the waiting, not the domain.
fn wait(control: &Control, store: &Client, built: &Built) -> Result<(), Failure> {
    store.watch("@releaseDomain", "create")?;
    let there =
        || Ok::<_, Failure>(control.domain_info(built.domid)?.is_some_and(|info| info.uuid == built.uuid.to_bytes()));
    while there()? {
        match store.next_event(Some(TICK)) {
            Err(error) if error.is_closed() => store.reconnect(creation::RETURN)?,
            event => drop(event?),
        }
    }
    Ok(())
}

/// From here on the domain is on its own. With `-c`, its console is open before it says anything.
fn start<'a>(
    args: &Args,
    control: &'a Control,
    store: &'a Client,
    cancel: &Cancel,
    built: &Built,
) -> Result<Option<Console<'a>>, Failure> {
    cancel.check()?;
    let console = args.console.then(|| console::open(control, store, built.domid, 0)).transpose().at(|| "console")?;
    if !args.paused {
        control.unpause(built.domid).at(|| "let the domain run")?;
    }
    Ok(console)
}
