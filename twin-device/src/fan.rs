//! Desired changes to every subscriber: in order, and whole where a step could not be kept.

use std::sync::{Arc, Weak};

use twin_core::Error;
use twin_core::session::{DesiredChange, Session};

use crate::subscription::Outlet;

/// Steps kept for a slow subscriber. When one more comes, the whole section as it stands takes the place of all of them.
pub(crate) const MAX_STEPS: usize = 32;

struct Tap {
    outlet: Weak<Outlet<DesiredChange>>,
    /// It was given the section as the session knows it, which covers every change the session has not handed out yet.
    ahead: bool,
}

/// The subscribers of one client.
#[derive(Default)]
pub(crate) struct Fan(Vec<Tap>);

fn whole(session: &Session) -> Option<DesiredChange> {
    session.desired().map(|(desired, version)| DesiredChange::Whole { desired: desired.clone(), version })
}

impl Fan {
    /// A new subscriber: it gets the whole section now if it is known, else with everybody when the session knows it.
    pub(crate) fn add(&mut self, outlet: &Arc<Outlet<DesiredChange>>, session: &Session) {
        let whole = whole(session);
        let ahead = whole.is_some();
        if let Some(whole) = whole {
            outlet.replace(whole);
        }
        self.0.push(Tap { outlet: Arc::downgrade(outlet), ahead });
    }

    /// Hands one change to all.
    pub(crate) fn tell(&mut self, change: &DesiredChange, session: &Session) {
        for tap in self.0.iter_mut().filter(|tap| !tap.ahead) {
            let Some(outlet) = tap.outlet.upgrade() else { continue };
            if matches!(change, DesiredChange::Whole { .. }) {
                // Steps before a whole say nothing that it does not.
                outlet.replace(change.clone());
            } else if !outlet.push(change.clone(), MAX_STEPS)
                && let Some(whole) = whole(session)
            {
                outlet.replace(whole);
                tap.ahead = true;
            }
        }
    }

    /// The session has handed everything out.
    pub(crate) fn caught_up(&mut self) {
        self.0.iter_mut().for_each(|tap| tap.ahead = false);
    }

    /// Forgets subscribers that are gone; says whether any is left.
    pub(crate) fn is_wanted(&mut self) -> bool {
        self.0.retain(|tap| tap.outlet.strong_count() > 0);
        !self.0.is_empty()
    }

    /// Ends every stream.
    pub(crate) fn end(&mut self, error: Option<&Error>) {
        for tap in std::mem::take(&mut self.0) {
            if let Some(outlet) = tap.outlet.upgrade() {
                outlet.end(error.cloned());
            }
        }
    }
}
