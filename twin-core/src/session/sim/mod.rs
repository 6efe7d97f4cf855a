//! The simulated pair: the session against a model hub, over a link that delays, drops, doubles, reorders and cuts,
//! by a fake clock. Each seed is one story of some ten minutes; every promise is checked as it goes.

mod hub;
mod link;
mod owner;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::{Manner, World};

/// Stories per manner: a few seconds in all. Raise it to search deeper.
const SEEDS: u64 = 300;

fn tell(manner: Manner) {
    for seed in 0..SEEDS {
        let story = catch_unwind(AssertUnwindSafe(|| World::new(manner, seed).run()));
        if let Err(panic) = story {
            eprintln!("the failing story: {manner:?}, seed {seed}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn a_good_link() {
    tell(Manner::Good);
}

#[test]
fn a_link_that_is_cut_at_any_moment() {
    tell(Manner::Cutting);
}

#[test]
fn a_link_that_loses_doubles_and_reorders() {
    tell(Manner::Losing);
}

#[test]
fn a_hub_that_throttles_fails_and_refuses() {
    tell(Manner::Refusing);
}

#[test]
fn a_hub_that_restarts_forgets_and_makes_twins_anew() {
    tell(Manner::Forgetting);
}

#[test]
fn short_tokens_and_several_reports_in_flight() {
    tell(Manner::Renewing);
}

#[test]
fn everything_at_once() {
    tell(Manner::Everything);
}

/// What a bug looks like to these tests: they must be able to fail.
#[test]
fn the_checks_can_fail() {
    let lost = catch_unwind(|| {
        let mut world = World::new(Manner::Good, 1);
        world.corrupt_reports();
        world.run();
    });
    assert!(lost.is_err(), "a hub that loses acknowledged reports was not noticed");
}
