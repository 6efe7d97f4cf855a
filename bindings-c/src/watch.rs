//! What a client tells unasked: desired changes, the state of its connection, tokens that end.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use twin_core::Timestamp;
use twin_device::{DesiredChange, State, Subscription};

use crate::boundary::{Failure, guard};
use crate::client::{CLIENTS, Held, each, twin_client, twin_state};
use crate::desk::{Desk, Userdata};
use crate::error::{self, c_text, twin_error, twin_error_free};
use crate::result::twin_result;
use crate::runtime::runtime;
use crate::string::twin_str;

/// What a desired callback is given.
#[repr(u32)]
pub enum twin_desired {
    /// The whole desired section as it stands at `version`: first, and again whenever steps were missed.
    TWIN_DESIRED_WHOLE = 1,
    /// A merge patch that leads from the version before to `version`; null removes.
    TWIN_DESIRED_PATCH = 2,
    /// Nothing follows: the credential or the subscription was refused; `error` says why. Subscribe again when it is cured.
    TWIN_DESIRED_ENDED = 3,
}

/// Told of desired properties: in order, each version once.
///
/// userdata: what was given to twin_client_on_desired.
/// kind: a twin_desired.
/// json: a JSON object, without members that begin with $; {NULL, 0} at the end. Valid during the call.
/// version: the $version that it leads to.
/// error: {0}, or at the end why; valid during the call, do not free it.
pub type twin_desired_fn = Option<
    unsafe extern "C" fn(userdata: *mut c_void, kind: u32, json: twin_str, version: u64, error: twin_error),
>;

/// Told of the connection's state: first as it is, then as it changes.
///
/// userdata: what was given to twin_client_on_state.
/// state: a twin_state.
/// retry_in_ms: when disconnected: the next attempt follows in so many milliseconds; -1: not before the program asks.
/// error: when disconnected: why; {0} where there is no reason. Valid during the call, do not free it.
pub type twin_state_fn =
    Option<unsafe extern "C" fn(userdata: *mut c_void, state: u32, retry_in_ms: i64, error: twin_error)>;

/// Told when a given token ends soon: time for twin_client_update_sas. Once per token.
///
/// userdata: what was given to twin_client_on_token_expiring.
/// expires_at: seconds since 1970-01-01 UTC.
pub type twin_expiring_fn = Option<unsafe extern "C" fn(userdata: *mut c_void, expires_at: u64)>;

/// The subscriptions of one client.
#[derive(Default)]
pub(crate) struct Watches {
    desired: Watch,
    state: Watch,
    expiring: Watch,
    pub(crate) message: Watch,
}

impl Watches {
    /// Ends all; what is posted already is not told any more.
    pub(crate) fn end(&self) {
        for watch in [&self.desired, &self.state, &self.expiring, &self.message] {
            watch.replace(None);
        }
    }
}

/// One subscription: at most one callback at a time.
#[derive(Default)]
pub(crate) struct Watch {
    /// counts replacements, so that items of an earlier callback are not told
    current: Arc<AtomicU64>,
    task: Mutex<Option<AbortHandle>>,
}

impl Watch {
    /// Ends the subscription there was; `next` gets the new number.
    fn replace(&self, next: Option<Box<dyn FnOnce(u64) -> AbortHandle + '_>>) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.current.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(task) = task.take() {
            task.abort();
        }
        *task = next.map(|start| start(number));
    }

    /// Hands every item of a subscription to `tell`, at the desk, one by one: an item is fetched when the one before it has
    /// been told, so that a slow program meets the bound of the subscription and none of ours.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        desk: &Arc<Desk>,
        mut from: Subscription<T>,
        tell: impl Fn(Option<T>, Option<twin_core::Error>) + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        let runtime = runtime()?;
        let (desk, current, tell) = (desk.clone(), self.current.clone(), Arc::new(tell));
        self.replace(Some(Box::new(move |number| {
            let watching = runtime.spawn(async move {
                loop {
                    let item = from.next().await;
                    let (ended, why) = (item.is_none(), from.error());
                    let (told, wait) = oneshot::channel::<()>();
                    let (tell, current) = (tell.clone(), current.clone());
                    desk.post(Box::new(move || {
                        if current.load(Ordering::SeqCst) == number {
                            tell(item, why);
                        }
                        drop(told);
                    }));
                    let _ = wait.await;
                    if ended {
                        return;
                    }
                }
            });
            watching.abort_handle()
        })));
        Ok(())
    }
}

/// Asks for the desired properties: first the whole section, then every change in order. Replaces the callback there was.
///
/// client: in. Connects, if it is not connected.
/// callback: in; NULL ends the subscription. When this call has returned the former callback is not called any more, unless
/// this was called from a callback.
/// userdata: in, may be NULL: handed to the callback.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_on_desired(
    client: twin_client,
    callback: twin_desired_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let userdata = Userdata(userdata);
        watch(
            client,
            callback,
            |held, callback| {
                let from = each!(&held.client, client => client.desired());
                held.watches.desired.start(&held.desk, from, move |change, why| {
                    let (kind, object, version) = match change {
                        Some(DesiredChange::Whole { desired, version }) => {
                            (twin_desired::TWIN_DESIRED_WHOLE, Some(desired), version)
                        }
                        Some(DesiredChange::Patch { patch, version }) => {
                            (twin_desired::TWIN_DESIRED_PATCH, Some(patch), version)
                        }
                        None => (twin_desired::TWIN_DESIRED_ENDED, None, 0),
                    };
                    let text = object.map(|o| c_text(&serde_json::Value::Object(o).to_string()));
                    let json = text
                        .as_ref()
                        .map_or(twin_str::NONE, |t| twin_str { data: t.as_ptr(), len: t.as_bytes().len() });
                    with_error(why, |error| {
                        // SAFETY: the program gave the function for this; all arguments outlive the call.
                        unsafe { callback(userdata.get(), kind as u32, json, version, error) }
                    });
                })
            },
            |held| &held.watches.desired,
        )
    })
}

/// Asks for the state of the connection: now, and whenever it changes. A slow program hears the latest only.
///
/// client: in. Does not make it connect.
/// callback: in; NULL ends the subscription.
/// userdata: in, may be NULL: handed to the callback.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_on_state(
    client: twin_client,
    callback: twin_state_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let userdata = Userdata(userdata);
        watch(
            client,
            callback,
            |held, callback| {
                let from = each!(&held.client, client => client.states());
                held.watches.state.start(&held.desk, from, move |state, _| {
                    let Some(state) = state else { return };
                    let shown = twin_state::of(&state);
                    let (why, retry_in) = match state {
                        State::Disconnected { reason, retry_in } => (reason, retry_in),
                        _ => (None, None),
                    };
                    let retry_in = retry_in.map_or(-1, |t| i64::try_from(t.as_millis()).unwrap_or(i64::MAX));
                    with_error(why, |error| {
                        // SAFETY: as above.
                        unsafe { callback(userdata.get(), shown as u32, retry_in, error) }
                    });
                })
            },
            |held| &held.watches.state,
        )
    })
}

/// Asks to be told when a given token ends soon. Nothing ever comes for a key or certificate.
///
/// client: in.
/// callback: in; NULL ends the subscription.
/// userdata: in, may be NULL: handed to the callback.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_on_token_expiring(
    client: twin_client,
    callback: twin_expiring_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let userdata = Userdata(userdata);
        watch(
            client,
            callback,
            |held, callback| {
                let from = each!(&held.client, client => client.token_expiring());
                held.watches.expiring.start(&held.desk, from, move |at: Option<Timestamp>, _| {
                    let Some(at) = at else { return };
                    // SAFETY: as above.
                    unsafe { callback(userdata.get(), at.unix_seconds()) }
                })
            },
            |held| &held.watches.expiring,
        )
    })
}

/// Subscribes, or with no callback ends the subscription.
pub(crate) fn watch<F>(
    client: twin_client,
    callback: Option<F>,
    start: impl FnOnce(&Held, F) -> Result<(), Failure>,
    which: impl FnOnce(&Held) -> &Watch,
) -> Result<(), Failure> {
    CLIENTS.with(client.id, |held| {
        match callback {
            Some(callback) => {
                let _inside = runtime()?.enter();
                start(held, callback)?;
            }
            None => which(held).replace(None),
        }
        held.desk.settle_thread();
        Ok(())
    })
}

/// Makes an error handle for the time of a callback.
fn with_error(why: Option<twin_core::Error>, call: impl FnOnce(twin_error)) {
    let error = why.map_or(twin_error { id: 0 }, |why| error::keep(why.into()));
    call(error);
    twin_error_free(error);
}
