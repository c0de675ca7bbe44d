// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn cpupool-list`, `cpupool-create`, `cpupool-destroy`, `cpupool-rename`, `cpupool-cpu-add`, `cpupool-cpu-remove`,
//! `cpupool-migrate`. The hypervisor knows pools by number; their names stand in the store, where `xl` has them too.

use crate::context::Context;
use crate::cpu_set;
use crate::error::{At, Class, Failure};
use crate::guests::names;
use crate::near;
use crate::output::{Align, OutputArgs, Table};
use serde::Serialize;
use xen_control::{CpuMap, CpuPool};

/// Options of `xn cpupool-list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn cpupool-list -c")]
pub(crate) struct ListArgs {
    /// Show which CPUs instead of how many
    #[arg(short = 'c', long)]
    pub(crate) cpus: bool,
    /// Name or number; all pools without any
    pub(crate) pool: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn cpupool-create`.
#[derive(Debug, clap::Args)]
#[command(after_help = "CPUs must be free: see 'xn cpupool-cpu-remove'.\nExample: xn cpupool-create batch 2-3")]
pub(crate) struct CreateArgs {
    /// Its name
    pub(crate) name: String,
    /// CPUs it gets, such as '2-3'
    pub(crate) cpus: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn cpupool-destroy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Its CPUs are free afterwards.\nExample: xn cpupool-destroy batch")]
pub(crate) struct DestroyArgs {
    /// Name or number
    pub(crate) pool: String,
}

/// Options of `xn cpupool-rename`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn cpupool-rename batch builds")]
pub(crate) struct RenameArgs {
    /// Name or number
    pub(crate) pool: String,
    /// The new name
    pub(crate) new_name: String,
}

/// Options of `xn cpupool-cpu-add` and `xn cpupool-cpu-remove`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "CPUs: '0-3,^2', 'all', 'node:1'.\nExample: xn cpupool-cpu-remove Pool-0 2-3 && xn cpupool-cpu-add batch 2-3"
)]
pub(crate) struct CpuArgs {
    /// Name or number
    pub(crate) pool: String,
    /// Which CPUs
    pub(crate) cpus: String,
}

/// Options of `xn cpupool-migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Its vCPUs are no longer pinned afterwards.\nExample: xn cpupool-migrate demo batch")]
pub(crate) struct MigrateArgs {
    /// Name or number
    pub(crate) domain: String,
    /// Name or number of the pool
    pub(crate) pool: String,
}

/// A line of `xn cpupool-list`.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    name: String,
    id: u32,
    cpus: Vec<u32>,
    domains: u32,
}

fn path(id: u32) -> String {
    format!("/local/pool/{id}/name")
}

/// The name of a pool; without one in the store what `xl` calls it.
pub(crate) fn name(context: &Context, id: u32) -> Result<String, Failure> {
    Ok(context.store()?.find_text(&path(id))?.unwrap_or_else(|| format!("Pool-{id}")))
}

/// All pools with their names.
pub(crate) fn all(context: &Context) -> Result<Vec<(String, CpuPool)>, Failure> {
    let named = |pool: CpuPool| Ok((name(context, pool.id)?, pool));
    context.control()?.cpu_pools()?.into_iter().map(named).collect()
}

/// The pool that `text` names: its name, or digits that are its number.
pub(crate) fn find(context: &Context, text: &str) -> Result<(String, CpuPool), Failure> {
    let mut pools = all(context)?;
    let Some(at) = pools.iter().position(|(name, pool)| name == text || text.parse() == Ok(pool.id)) else {
        let names = pools.iter().map(|(name, _)| name.as_str());
        let remedy = near::question(text, names).unwrap_or_else(|| "see 'xn cpupool-list'".into());
        return Err(Failure::new(Class::Usage, format!("there is no CPU pool '{text}'")).remedy(remedy));
    };
    Ok(pools.swap_remove(at))
}

/// Lists pools.
pub(crate) fn list(args: &ListArgs, context: &mut Context) -> Result<(), Failure> {
    let rows = rows(args, context).at(|| "cpupool-list")?;
    args.output.print(&rows, |rows| if args.cpus { cpu_table(rows) } else { table(rows) })
}

fn rows(args: &ListArgs, context: &Context) -> Result<Vec<Row>, Failure> {
    let pools = match &args.pool {
        Some(pool) => vec![find(context, pool)?],
        None => all(context)?,
    };
    let row = |(name, pool): (String, CpuPool)| Row {
        name,
        id: pool.id,
        cpus: pool.cpus.iter().collect(),
        domains: pool.domains,
    };
    Ok(pools.into_iter().map(row).collect())
}

/// `xl`'s columns do not stand under their heads.
fn table(rows: &[Row]) -> String {
    let mut text = String::from("Name               CPUs   Sched     Active   Domain count\n");
    for Row { name, cpus, domains, .. } in rows {
        text += &format!("{name:<19}{:>3}   credit2       y       {domains:>4}\n", cpus.len());
    }
    text
}

fn cpu_table(rows: &[Row]) -> String {
    let mut table = Table::new(&[("Name", 18, Align::Left), ("CPU list", 0, Align::Left)]);
    for row in rows {
        let cpus: Vec<String> = row.cpus.iter().map(u32::to_string).collect();
        table.row([row.name.clone(), cpus.join(",")]);
    }
    table.render()
}

/// Makes a pool. What fails half-way is undone.
pub(crate) fn create(args: &CreateArgs, context: &mut Context) -> Result<(), Failure> {
    let id = make(args, context).at(|| format!("cpupool-create {}", args.name))?;
    args.output.print(&id, |_| String::new())
}

fn make(args: &CreateArgs, context: &Context) -> Result<u32, Failure> {
    check(&args.name, context)?;
    let cpus = args.cpus.as_ref().map(|cpus| resolve(cpus, context)).transpose()?.unwrap_or_default();
    let control = context.control()?;
    let id = control.create_cpu_pool()?;
    let made = add(id, &cpus, context).and_then(|()| Ok(context.store()?.write(&path(id), &args.name)?));
    if made.is_err() {
        // The first failure is what counts.
        let _ = cpus.iter().try_for_each(|cpu| control.remove_cpu(id, cpu));
        let _ = control.destroy_cpu_pool(id);
    }
    made.map(|()| id)
}

/// Removes a pool that has no domains.
pub(crate) fn destroy(args: &DestroyArgs, context: &mut Context) -> Result<(), Failure> {
    unmake(&args.pool, context).at(|| format!("cpupool-destroy {}", args.pool))
}

fn unmake(text: &str, context: &Context) -> Result<(), Failure> {
    let ((_, pool), control) = (find(context, text)?, context.control()?);
    if pool.id == 0 {
        return Err(Failure::new(Class::Conflict, "it is the pool of dom0").remedy("destroy another one"));
    }
    if pool.domains != 0 {
        let why = format!("there are {} domains in it", pool.domains);
        return Err(Failure::new(Class::Conflict, why).remedy("move them with 'xn cpupool-migrate'"));
    }
    for cpu in pool.cpus.iter() {
        control.remove_cpu(pool.id, cpu)?;
    }
    control.destroy_cpu_pool(pool.id)?;
    let home = format!("/local/pool/{}", pool.id);
    context.store()?.rm(&home).or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error.into()) })
}

/// Changes the name of a pool.
pub(crate) fn rename(args: &RenameArgs, context: &mut Context) -> Result<(), Failure> {
    let renamed = find(context, &args.pool).and_then(|(_, pool)| {
        check(&args.new_name, context)?;
        Ok(context.store()?.write(&path(pool.id), &args.new_name)?)
    });
    renamed.at(|| format!("cpupool-rename {}", args.pool))
}

/// Gives a pool free CPUs.
pub(crate) fn cpu_add(args: &CpuArgs, context: &mut Context) -> Result<(), Failure> {
    let added = find(context, &args.pool).and_then(|(_, pool)| add(pool.id, &resolve(&args.cpus, context)?, context));
    added.at(|| format!("cpupool-cpu-add {}", args.pool))
}

fn add(pool: u32, cpus: &CpuMap, context: &Context) -> Result<(), Failure> {
    let free = context.control()?.free_cpus()?;
    if let Some(cpu) = cpus.iter().find(|cpu| !free.contains(*cpu)) {
        let why = format!("CPU {cpu} is in a pool");
        return Err(Failure::new(Class::Conflict, why).remedy("take it from there with 'xn cpupool-cpu-remove'"));
    }
    for cpu in cpus.iter() {
        context.control()?.add_cpu(pool, cpu)?;
    }
    Ok(())
}

/// Takes CPUs from a pool; they are free afterwards.
pub(crate) fn cpu_remove(args: &CpuArgs, context: &mut Context) -> Result<(), Failure> {
    take(args, context).at(|| format!("cpupool-cpu-remove {}", args.pool))
}

fn take(args: &CpuArgs, context: &Context) -> Result<(), Failure> {
    let (_, pool) = find(context, &args.pool)?;
    let cpus = resolve(&args.cpus, context)?;
    if let Some(cpu) = cpus.iter().find(|cpu| !pool.cpus.contains(*cpu)) {
        let why = format!("CPU {cpu} is not in it");
        return Err(Failure::new(Class::Usage, why).remedy("see 'xn cpupool-list -c'"));
    }
    if pool.domains != 0 && pool.cpus.iter().all(|cpu| cpus.contains(cpu)) {
        let why = format!("its {} domains would have no CPU", pool.domains);
        return Err(Failure::new(Class::Conflict, why).remedy("leave it one, or move them with 'xn cpupool-migrate'"));
    }
    for cpu in cpus.iter() {
        context.control()?.remove_cpu(pool.id, cpu)?;
    }
    Ok(())
}

/// Moves a domain to another pool.
pub(crate) fn migrate(args: &MigrateArgs, context: &mut Context) -> Result<(), Failure> {
    shift(args, context).at(|| format!("cpupool-migrate {}", args.domain))
}

fn shift(args: &MigrateArgs, context: &Context) -> Result<(), Failure> {
    let domain = context.domain(&args.domain)?;
    let (_, pool) = find(context, &args.pool)?;
    if domain.raw() == 0 {
        return Err(Failure::new(Class::Usage, "dom0 stays in its pool").remedy("move CPUs instead"));
    }
    if pool.cpus.is_empty() {
        let why = format!("the pool '{}' has no CPU", args.pool);
        return Err(Failure::new(Class::Conflict, why).remedy("give it one with 'xn cpupool-cpu-add'"));
    }
    Ok(context.control()?.move_to_cpu_pool(domain, pool.id)?)
}

fn resolve(text: &str, context: &Context) -> Result<CpuMap, Failure> {
    let control = context.control()?;
    cpu_set::parse(text, control.host()?.max_cpu.saturating_add(1), &control.cpu_places()?)
}

/// A name that no other pool has.
fn check(name: &str, context: &Context) -> Result<(), Failure> {
    names::check(name, "pool")?;
    if all(context)?.iter().any(|(other, _)| other == name) {
        let why = format!("the name '{name}' is in use");
        return Err(Failure::new(Class::Conflict, why).remedy("choose another name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_those_of_xl() {
        let rows = vec![
            Row { name: "Pool-0".into(), id: 0, cpus: vec![0, 2], domains: 1 },
            Row { name: "batch".into(), id: 1, cpus: vec![], domains: 0 },
        ];
        assert_eq!(
            table(&rows),
            "\
Name               CPUs   Sched     Active   Domain count
Pool-0               2   credit2       y          1
batch                0   credit2       y          0
"
        );
        assert_eq!(cpu_table(&rows), "Name               CPU list\nPool-0             0,2\nbatch\n");
        let json = serde_json::to_string(&rows[0]).unwrap();
        assert_eq!(json, r#"{"name":"Pool-0","id":0,"cpus":[0,2],"domains":1}"#);
    }
}
