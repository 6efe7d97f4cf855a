//! What shall go wrong on purpose, for tests of clients. Nothing goes wrong unless asked for.

use std::sync::Mutex;
use std::sync::PoisonError;

use twin_core::wire::{HubCode, Refusal};

/// How a login is refused on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginFault {
    /// CONNACK 3: the server is unavailable
    Unavailable,
    /// CONNACK 5: not authorised
    NotAuthorized,
    /// the connection is closed without a CONNACK
    Silence,
}

/// What happens to a request on purpose: a twin request of a device, or a call of the service API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestFault {
    /// answered with 429 and this many seconds of retry-after
    Throttle {
        /** seconds */
        retry_after: u32,
    },
    /// answered with 500
    ServerError,
    /// answered with 503
    Unavailable,
    /// done, but the answer is thrown away (a device's request), or the connection is (a service call)
    LoseAnswer,
    /// not done; the connection is cut
    Cut,
}

/// Faults waiting to happen, each to so many logins or requests.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    logins: (u32, Option<LoginFault>),
    requests: (u32, Option<RequestFault>),
}

fn take<T: Copy>((left, fault): &mut (u32, Option<T>)) -> Option<T> {
    *left = left.checked_sub(1)?;
    *fault
}

impl Faults {
    pub(crate) fn set_logins(&self, count: u32, fault: LoginFault) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).logins = (count, Some(fault));
    }

    pub(crate) fn set_requests(&self, count: u32, fault: RequestFault) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).requests = (count, Some(fault));
    }

    pub(crate) fn clear(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Waiting::default();
    }

    pub(crate) fn next_login(&self) -> Option<LoginFault> {
        take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner).logins)
    }

    pub(crate) fn next_request(&self) -> Option<RequestFault> {
        take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner).requests)
    }
}

impl RequestFault {
    /// The refusal that this fault means, if it is one.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        let (code, retry_after) = match self {
            RequestFault::Throttle { retry_after } => (HubCode::THROTTLING_EXCEPTION, Some(retry_after)),
            RequestFault::ServerError => (HubCode::SERVER_ERROR, None),
            RequestFault::Unavailable => (HubCode::SERVICE_UNAVAILABLE, None),
            RequestFault::LoseAnswer | RequestFault::Cut => return None,
        };
        let mut refusal = Refusal::new(code, "this fault was asked for");
        refusal.retry_after = retry_after;
        Some(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_happen_as_often_as_asked() {
        let faults = Faults::default();
        assert_eq!(faults.next_login(), None);
        faults.set_logins(2, LoginFault::Unavailable);
        faults.set_requests(1, RequestFault::ServerError);
        assert_eq!(faults.next_login(), Some(LoginFault::Unavailable));
        assert_eq!(faults.next_login(), Some(LoginFault::Unavailable));
        assert_eq!(faults.next_login(), None);
        assert_eq!(faults.next_request(), Some(RequestFault::ServerError));
        assert_eq!(faults.next_request(), None);
    }
}
