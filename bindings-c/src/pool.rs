//! Many devices over few AMQP connections.

use std::mem::MaybeUninit;

use twin_device::AmqpPool;

use crate::boundary::{guard, needed};
use crate::error::twin_error;
use crate::handle::Table;
use crate::options::{self, twin_client_options};
use crate::result::twin_result;
use crate::runtime::{runtime, wait};

/// Connections that devices share. Made by twin_pool_new, ended by twin_pool_close, used by the `pool` of a device's options.
/// {0} is none: a connection for each device.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twin_pool {
    /// The library's business.
    pub id: u64,
}

pub(crate) static POOLS: Table<AmqpPool> = Table::new(0x90, "pool");

/// Makes a pool: for gateways that speak for many devices of one hub, where a connection for each costs too much. Connects to
/// nothing yet. Each of the devices is a client of its own, with its own key or token; certificates cannot share.
///
/// options: in, not NULL: host_name, transport (TWIN_TRANSPORT_AMQP or AMQP_WS; the default is AMQP), what is trusted, proxy,
/// connect_timeout_ms. Members that are a device's are not looked at.
/// devices_per_connection: in, 1 to 995; 0: 500. When all connections are full, a further one is made.
/// out: out, not NULL.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT, with the option and its rule; so are transports that devices cannot share.
#[unsafe(no_mangle)]
pub extern "C" fn twin_pool_new(
    options: *const twin_client_options,
    devices_per_connection: u32,
    out: Option<&mut MaybeUninit<twin_pool>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(out, "out")?;
        let options = options::copy(options)?;
        let _inside = runtime()?.enter();
        out.write(twin_pool { id: POOLS.keep(options::pool(&options, devices_per_connection)?) });
        Ok(())
    })
}

/// How many connections there are now.
///
/// pool: in.
/// connections: out, not NULL.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_pool_connections(
    pool: twin_pool,
    connections: Option<&mut MaybeUninit<u32>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(connections, "connections")?;
        let count = POOLS.with(pool.id, |pool| {
            let pool = pool.clone();
            wait(0, async move { Ok(pool.connections().await) })
        })?;
        out.write(u32::try_from(count).unwrap_or(u32::MAX));
        Ok(())
    })
}

/// Ends the handle. Devices that were made with the pool go on; its connections end with the last of them.
///
/// pool: in.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED if it was closed before.
#[unsafe(no_mangle)]
pub extern "C" fn twin_pool_close(
    pool: twin_pool,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || POOLS.remove(pool.id).map(drop))
}
