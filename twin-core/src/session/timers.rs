//! When something is due next: the mirror image of `advance`.

use std::time::Duration;

use super::link::Phase;
use super::machine::Session;
use super::requests::earliest;

/// Longest sleep that is asked for: no clock has to count to the end of time, whatever the configuration says.
const MAX_SLEEP: Duration = Duration::from_secs(24 * 3600);

impl Session {
    /// When the first request runs out of time.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let waiters = self.opens.iter().chain(&self.watch.waiters).map(|w| w.deadline).min();
        let mail = self.mail.waiters.iter().map(|w| w.deadline).min();
        let twins = earliest(earliest(waiters, self.gets.deadline()), self.reports.deadline());
        earliest(twins, earliest(mail, self.posts.deadline()))
    }

    /// When `handle_timeout` is wanted.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        let link = match &self.phase {
            Phase::Waiting(at) => Some(*at),
            Phase::Leaving { until, .. } => Some(*until),
            Phase::Up(_) => self.wake_link(),
            Phase::Idle | Phase::Dialing | Phase::Closed => None,
        };
        let announcement = self.tokens.announcement_at().filter(|_| !self.is_closing());
        let next = earliest(earliest(link, self.deadline()), announcement);
        next.map(|at| at.min(self.now.mono.saturating_add(MAX_SLEEP)))
    }

    fn wake_link(&self) -> Option<Duration> {
        let Phase::Up(up) = &self.phase else { return None };
        let subscriptions = earliest(up.answers.answer_by(), up.desired.answer_by());
        let subscriptions = earliest(subscriptions, up.messages.answer_by());
        if let Some(until) = up.draining {
            let answers = earliest(self.gets.wake_flights(), self.reports.wake_flights());
            let answers = earliest(answers, self.posts.wake_flights());
            return earliest(Some(until), earliest(subscriptions, answers));
        }
        let requests = if self.can_ask() {
            let gets = earliest(self.gets.wake(), self.watch_due());
            earliest(gets, self.reports.wake(self.config.max_reports_in_flight))
        } else {
            earliest(self.gets.wake_flights(), self.reports.wake_flights())
        };
        let requests = earliest(requests, self.posts.wake(self.config.max_posts_in_flight));
        earliest(earliest(subscriptions, requests), self.tokens.renewal())
    }
}
