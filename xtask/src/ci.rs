//! `cargo xtask ci`: runs the steps, goes on after a failure, and says at the end what became of each.
//!
//! It must never call a run good in which a step failed or could not run.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::say;
use crate::steps::{Mode, STEPS, Step};

/// What became of a step.
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    /// A step that it needs did not pass.
    NotRun(&'static str),
}

/// Runs all steps of a mode, or one of them after the steps it needs.
pub(crate) fn run(only: Option<&str>, mode: Mode) -> anyhow::Result<()> {
    let plan = plan(STEPS, only, mode);
    if let Some(name) = only
        && plan.iter().all(|step| step.name != name)
    {
        bail!("the step {name} is not part of --fast");
    }
    let began = Instant::now();
    let outcomes = run_all(&plan, mode);
    summary(&outcomes, began.elapsed())
}

/// The steps to run, in the order of the list.
fn plan<'a>(steps: &'a [Step], only: Option<&str>, mode: Mode) -> Vec<&'a Step> {
    let mut plan: Vec<&Step> = Vec::new();
    // From the end, so that a step's needs are met after it.
    for step in steps.iter().rev() {
        let wanted = only.is_none_or(|name| name == step.name);
        let needed = plan.iter().any(|later| later.needs.contains(&step.name));
        let allowed = mode == Mode::Full || step.mode == Mode::Fast;
        if (wanted || needed) && allowed {
            plan.push(step);
        }
    }
    plan.reverse();
    plan
}

fn run_all<'a>(plan: &[&'a Step], mode: Mode) -> Vec<(&'a Step, Outcome)> {
    let mut outcomes: Vec<(&Step, Outcome)> = Vec::new();
    for step in plan {
        let missing = outcomes.iter().find(|(earlier, outcome)| {
            step.needs.contains(&earlier.name) && !matches!(outcome, Outcome::Passed(_))
        });
        let outcome = match missing {
            Some((earlier, _)) => Outcome::NotRun(earlier.name),
            None => run_one(step, mode),
        };
        outcomes.push((step, outcome));
    }
    outcomes
}

fn run_one(step: &Step, mode: Mode) -> Outcome {
    say::heading(&format!("{}: {}", step.name, step.about));
    let began = Instant::now();
    let end = (step.run)(mode);
    let took = began.elapsed();
    let span = say::duration(took);
    match end {
        Ok(()) => {
            println!("{}", say::green(&format!("{} passed in {span}", step.name)));
            Outcome::Passed(took)
        }
        Err(error) => {
            say::failure(&format!("{error:#}"));
            println!("{}", say::red(&format!("{} failed after {span}", step.name)));
            Outcome::Failed(took)
        }
    }
}

/// Prints the table and the counts; an error unless every step passed.
fn summary(outcomes: &[(&Step, Outcome)], took: Duration) -> anyhow::Result<()> {
    say::heading("summary");
    let (mut passed, mut failed, mut not_run) = (0, 0, 0);
    for (step, outcome) in outcomes {
        let name = step.name;
        match outcome {
            Outcome::Passed(took) => {
                passed += 1;
                println!("   {name:<10}{} {:>12}", say::green("passed "), say::duration(*took));
            }
            Outcome::Failed(took) => {
                failed += 1;
                let span = say::duration(*took);
                let again = format!("again: cargo xtask ci {name}");
                println!("   {name:<10}{} {span:>12}   {again}", say::red("failed "));
            }
            Outcome::NotRun(need) => {
                not_run += 1;
                println!("   {name:<10}{} {:>12}   it needs {need}", say::red("not run"), "");
            }
        }
    }
    println!("   {:<10}{:7} {:>12}", "all", "", say::duration(took));
    let not_run_words = if not_run == 0 { String::new() } else { format!(", {not_run} not run") };
    println!("\nsteps: {passed} passed, {failed} failed{not_run_words}");
    if failed + not_run > 0 {
        bail!("not every step passed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: fn(Mode) -> anyhow::Result<()> = |_| Ok(());
    const BAD: fn(Mode) -> anyhow::Result<()> = |_| bail!("broken");

    fn step(name: &'static str, needs: &'static [&'static str], mode: Mode) -> Step {
        Step { name, about: "", needs, mode, run: GOOD }
    }

    fn steps() -> Vec<Step> {
        vec![
            step("setup", &[], Mode::Full),
            step("fmt", &[], Mode::Fast),
            step("build", &["setup"], Mode::Full),
            step("test", &["build"], Mode::Fast),
        ]
    }

    fn names(only: Option<&str>, mode: Mode) -> Vec<&'static str> {
        plan(&steps(), only, mode).iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_mode_runs_its_steps_in_order() {
        assert_eq!(names(None, Mode::Full), ["setup", "fmt", "build", "test"]);
        assert_eq!(names(None, Mode::Fast), ["fmt", "test"]);
    }

    #[test]
    fn one_step_runs_after_what_it_needs() {
        assert_eq!(names(Some("test"), Mode::Full), ["setup", "build", "test"]);
        assert_eq!(names(Some("fmt"), Mode::Full), ["fmt"]);
        assert_eq!(names(Some("test"), Mode::Fast), ["test"]);
        assert!(names(Some("build"), Mode::Fast).is_empty());
    }

    #[test]
    fn a_failure_stops_only_what_needs_it_and_fails_the_run() {
        let mut steps = steps();
        steps[2].run = BAD;
        let plan: Vec<&Step> = steps.iter().collect();
        let outcomes = run_all(&plan, Mode::Full);
        assert!(matches!(
            outcomes.iter().map(|(_, outcome)| outcome).collect::<Vec<_>>()[..],
            [Outcome::Passed(_), Outcome::Passed(_), Outcome::Failed(_), Outcome::NotRun("build")]
        ));
        assert!(summary(&outcomes, Duration::ZERO).is_err());
        assert!(summary(&outcomes[..2], Duration::ZERO).is_ok());
    }
}
