//! Options structs. Their first member says how much of them the program knows, so that they can grow.

use std::fs;
use std::mem;
use std::ptr;
use std::time::Duration;

use twin_core::auth::{Credential, Key, SasToken};
use twin_core::{DeviceId, Error, ErrorKind, HostName, ModuleId};
use twin_device::{
    AmqpPool, Client, ClientCertificate, Device, DeviceClient, Kind, Module, ModuleClient, Options, Proxy,
    RetryPolicy, Transport,
};
use twin_service::{Registry, Retry};

use crate::boundary::Failure;
use crate::client::Either;
use crate::pool::{POOLS, twin_pool};
use crate::string::twin_str;

/// How a device's words travel. The numbers are permanent.
#[repr(u32)]
#[derive(Clone, Copy)]
pub enum twin_transport {
    /// What the library thinks best: MQTT.
    TWIN_TRANSPORT_DEFAULT = 0,
    /// MQTT over TLS, port 8883.
    TWIN_TRANSPORT_MQTT = 1,
    /// MQTT over a secure WebSocket, port 443: for networks that let only HTTPS out.
    TWIN_TRANSPORT_MQTT_WS = 2,
    /// AMQP 1.0 over TLS, port 5671.
    TWIN_TRANSPORT_AMQP = 3,
    /// AMQP 1.0 over a secure WebSocket, port 443.
    TWIN_TRANSPORT_AMQP_WS = 4,
    /// HTTPS, port 443: telemetry and messages from the cloud. IoT Hub has no device twins over it: requests for them are
    /// TWIN_NOT_SUPPORTED.
    TWIN_TRANSPORT_HTTP = 5,
}

/// Bits of `flags` in options.
#[repr(u32)]
pub enum twin_flag {
    /// Callbacks are made by twin_client_poll or twin_registry_poll, on the caller's thread, instead of the library's.
    TWIN_FLAG_OWN_LOOP = 1,
    /// The system's certificates are not trusted, only those of ca_pem and ca_file.
    TWIN_FLAG_NO_SYSTEM_TRUST = 2,
    /// Reports that wait are sent one by one instead of merged.
    TWIN_FLAG_SEPARATE_REPORTS = 4,
    /// The first lost connection ends the attempt, and a refused request is final. (What gets no answer is asked again all the
    /// same, while its time lasts.)
    TWIN_FLAG_NO_RETRY = 8,
}

const ALL_FLAGS: u32 = 15;

/// Everything that can be chosen for a device or module. Zero every byte, set `size` (twin_client_options_init does both), then
/// what is wanted: whatever is zero has its default. The library copies what it needs.
///
/// Who it is: `connection_string`, or `host_name`, `device_id`, for a module `module_id`, and one of `shared_access_key`,
/// `sas_token`, or a certificate with its key.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twin_client_options {
    /// sizeof(twin_client_options). More than the library knows must be zero, or is TWIN_NOT_SUPPORTED.
    pub size: usize,
    /// "HostName=...;DeviceId=...[;ModuleId=...];SharedAccessKey=...|SharedAccessSignature=...|x509=true[;GatewayHostName=...]"
    pub connection_string: twin_str,
    /// The hub: "name.azure-devices.net", with a port if it is not the transport's own.
    pub host_name: twin_str,
    /// The device.
    pub device_id: twin_str,
    /// The module; no text: a device.
    pub module_id: twin_str,
    /// The device's own key, in base64.
    pub shared_access_key: twin_str,
    /// "SharedAccessSignature sr=...": renewed by the program, see twin_client_update_sas.
    pub sas_token: twin_str,
    /// Certificate chain in PEM, leaf first, for X.509; together with key_pem.
    pub certificate_pem: twin_str,
    /// Its private key in PEM.
    pub key_pem: twin_str,
    /// Likewise the name of a file, read once, now; together with key_file.
    pub certificate_file: twin_str,
    /// Likewise.
    pub key_file: twin_str,
    /// Certificates to trust beside the system's, in PEM.
    pub ca_pem: twin_str,
    /// Likewise the name of a file, read once, now.
    pub ca_file: twin_str,
    /// "http://[user:password@]host:port"; "none"; no text: what HTTPS_PROXY, ALL_PROXY and NO_PROXY say.
    pub proxy: twin_str,
    /// A gateway to connect to instead of the hub.
    pub gateway_host_name: twin_str,
    /// Who made the device, for the hub's statistics.
    pub product_info: twin_str,
    /// The DTDL model that the device announces.
    pub model_id: twin_str,
    /// A twin_transport.
    pub transport: u32,
    /// Bits of twin_flag.
    pub flags: u32,
    /// MQTT keep-alive, in seconds, 1 to 1177. Default: 180.
    pub keep_alive_s: u32,
    /// From dialing to the end of the handshakes, in milliseconds. Default: 30,000.
    pub connect_timeout_ms: u32,
    /// Longest a request may take in all, reconnections included, in milliseconds. Default: 240,000.
    pub request_timeout_ms: u32,
    /// Longest wait for one answer while connected, in milliseconds. Default: 30,000.
    pub answer_timeout_ms: u32,
    /// Lifetime of tokens made from a key, in seconds. Default: 3600.
    pub token_lifetime_s: u32,
    /// Bound of the first wait before connecting again, in milliseconds; doubles each time. Default: 1000.
    pub retry_first_ms: u32,
    /// Bound of every such wait, in milliseconds. Default: 60,000.
    pub retry_max_ms: u32,
    /// Trying to connect ends after this, in milliseconds. Default: never.
    pub retry_give_up_ms: u32,
    /// Connections to share with other devices; they decide about transport and trust. Default: {0}, a connection of its own.
    pub pool: twin_pool,
}

/// Everything that can be chosen for a registry; filled like twin_client_options.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twin_registry_options {
    /// sizeof(twin_registry_options).
    pub size: usize,
    /// "HostName=...;SharedAccessKeyName=...;SharedAccessKey=..." (or SharedAccessSignature=...).
    pub connection_string: twin_str,
    /// Certificates to trust beside the system's, in PEM.
    pub ca_pem: twin_str,
    /// Likewise the name of a file, read once, now.
    pub ca_file: twin_str,
    /// As in twin_client_options.
    pub proxy: twin_str,
    /// Bits of twin_flag: OWN_LOOP, NO_SYSTEM_TRUST, NO_RETRY.
    pub flags: u32,
    /// From dialing to the end of the handshakes, in milliseconds. Default: 30,000.
    pub connect_timeout_ms: u32,
    /// How long one attempt may take in all, in milliseconds. Default: 60,000.
    pub request_timeout_ms: u32,
    /// Lifetime of tokens made from a key, in seconds, at least 60. Default: 3600.
    pub token_lifetime_s: u32,
    /// Attempts of one request, the first included. Default: 8.
    pub max_attempts: u32,
    /// No attempt starts later than this after the first, in milliseconds. Default: 120,000.
    pub retry_give_up_ms: u32,
}

/// A struct of C's that is nothing but numbers and pointers, so that any bytes make one.
///
/// # Safety
/// Every pattern of bytes must be a valid value, zeros included, and the first member must be the size.
pub(crate) unsafe trait Plain: Copy {
    /// How long its first version was; programs built then say so.
    const FIRST: usize;
}
// SAFETY: a size, texts (pointers and lengths, checked when read), numbers and handles, which are numbers.
unsafe impl Plain for twin_client_options {
    const FIRST: usize = mem::offset_of!(twin_client_options, pool);
}
// SAFETY: likewise.
unsafe impl Plain for twin_registry_options {
    const FIRST: usize = mem::size_of::<twin_registry_options>();
}

/// Copies options of this version, of an earlier one, which are zero in what they lack, of a later one whose new members are
/// not used, or explains.
pub(crate) fn copy<T: Plain>(options: *const T) -> Result<T, Failure> {
    if options.is_null() {
        return Err(Failure::invalid("options is NULL"));
    }
    // SAFETY: the program promises options, which begin with their size.
    let size = unsafe { options.cast::<usize>().read_unaligned() };
    let (first, known) = (T::FIRST, mem::size_of::<T>());
    if size < first {
        return Err(Failure::invalid(format!(
            "options.size is {size}; set it to sizeof, which is at least {first} (twin_client_options_init does)"
        )));
    }
    // A size beyond any real struct is memory that was not filled in, and not read further.
    if size > 16 * known {
        return Err(Failure::invalid(format!(
            "options.size is {size}, which no options have; set it to sizeof"
        )));
    }
    // SAFETY: the program promises `size` readable bytes.
    let given = unsafe { std::slice::from_raw_parts(options.cast::<u8>(), size) };
    if given.iter().skip(known).any(|byte| *byte != 0) {
        return Err(Error::new(
            ErrorKind::NotSupported,
            "options set members that this version of libtwin does not know; it is older than the header",
        )
        .into());
    }
    let mut copy = mem::MaybeUninit::<T>::zeroed();
    // SAFETY: no more than both of them have, and neither is the other; any bytes are a value (Plain).
    unsafe {
        ptr::copy_nonoverlapping(given.as_ptr(), copy.as_mut_ptr().cast::<u8>(), size.min(known));
        Ok(copy.assume_init())
    }
}

fn flags(flags: u32) -> Result<impl Fn(twin_flag) -> bool, Failure> {
    if flags & !ALL_FLAGS != 0 {
        let unknown = flags & !ALL_FLAGS;
        return Err(Error::new(
            ErrorKind::NotSupported,
            format!("options.flags has unknown bits: {unknown:#x}"),
        )
        .into());
    }
    Ok(move |flag: twin_flag| flags & flag as u32 != 0)
}

fn transport(number: u32) -> Result<Transport, Failure> {
    use twin_transport::*;
    const CHOICES: [(twin_transport, Transport); 6] = [
        (TWIN_TRANSPORT_DEFAULT, Transport::Mqtt),
        (TWIN_TRANSPORT_MQTT, Transport::Mqtt),
        (TWIN_TRANSPORT_MQTT_WS, Transport::MqttWs),
        (TWIN_TRANSPORT_AMQP, Transport::Amqp),
        (TWIN_TRANSPORT_AMQP_WS, Transport::AmqpWs),
        (TWIN_TRANSPORT_HTTP, Transport::Http),
    ];
    let chosen = CHOICES.into_iter().find(|(choice, _)| *choice as u32 == number);
    chosen
        .map(|(_, transport)| transport)
        .ok_or_else(|| Failure::invalid(format!("options.transport is {number}, which is no twin_transport")))
}

fn file(name: &str, what: &str) -> Result<String, Failure> {
    fs::read_to_string(name).map_err(|e| Failure::invalid(format!("{what} '{name}' cannot be read: {e}")))
}

fn millis(ms: u32) -> Option<Duration> {
    (ms != 0).then(|| Duration::from_millis(ms.into()))
}

fn seconds(s: u32) -> Option<Duration> {
    (s != 0).then(|| Duration::from_secs(s.into()))
}

/// What clients and registries have in common.
fn connection(
    options: &mut Options,
    ca_pem: twin_str,
    ca_file: twin_str,
    proxy: twin_str,
    connect_timeout_ms: u32,
    system_trust: bool,
) -> Result<(), Failure> {
    options.system_trust = system_trust;
    if let Some(pem) = ca_pem.optional("options.ca_pem")? {
        options.extra_ca_pem.push(pem.to_owned());
    }
    if let Some(name) = ca_file.optional("options.ca_file")? {
        options.extra_ca_pem.push(file(name, "options.ca_file")?);
    }
    match proxy.optional("options.proxy")? {
        None => {}
        Some("none") => options.proxy = Proxy::None,
        Some(url) => options.proxy = Proxy::Url(url.to_owned()),
    }
    if let Some(limit) = millis(connect_timeout_ms) {
        options.connect_timeout = limit;
    }
    Ok(())
}

/// A client that is not connected yet, and whether it is polled.
pub(crate) fn client(options: &twin_client_options) -> Result<(Either, bool), Failure> {
    let has = flags(options.flags)?;
    let mut common = Options::default();
    connection(
        &mut common,
        options.ca_pem,
        options.ca_file,
        options.proxy,
        options.connect_timeout_ms,
        !has(twin_flag::TWIN_FLAG_NO_SYSTEM_TRUST),
    )?;
    if let Some(time) = seconds(options.keep_alive_s) {
        common.keep_alive = time;
    }
    common.client_certificate = certificate(options)?;
    let polled = has(twin_flag::TWIN_FLAG_OWN_LOOP);
    let client = match options.connection_string.optional("options.connection_string")? {
        Some(text) => {
            for (name, given) in [("host_name", options.host_name), ("device_id", options.device_id)] {
                if given.optional(name)?.is_some() {
                    return Err(Failure::invalid(format!(
                        "options have a connection_string and a {name}; give one"
                    )));
                }
            }
            // The string says itself whether it is a module's.
            let parsed = twin_core::auth::DeviceConnectionString::parse(text)?;
            match parsed.key.module {
                None => Either::Device(finish(DeviceClient::from_connection_string(text)?, options, common)?),
                Some(_) => {
                    Either::Module(finish(ModuleClient::from_connection_string(text)?, options, common)?)
                }
            }
        }
        None => {
            let host = HostName::new(options.host_name.text("options.connection_string or host_name")?)?;
            let device = DeviceId::new(options.device_id.text("options.device_id")?)?;
            let credential = credential(options, common.client_certificate.is_some())?;
            match options.module_id.optional("options.module_id")? {
                None => Either::Device(finish(
                    Client::<Device>::builder(host, device, credential),
                    options,
                    common,
                )?),
                Some(module) => {
                    let builder = Client::<Module>::builder(host, device, ModuleId::new(module)?, credential);
                    Either::Module(finish(builder, options, common)?)
                }
            }
        }
    };
    Ok((client, polled))
}

/// A pool that is not connected yet.
pub(crate) fn pool(options: &twin_client_options, devices: u32) -> Result<AmqpPool, Failure> {
    let has = flags(options.flags)?;
    let mut common = Options::default();
    connection(
        &mut common,
        options.ca_pem,
        options.ca_file,
        options.proxy,
        options.connect_timeout_ms,
        !has(twin_flag::TWIN_FLAG_NO_SYSTEM_TRUST),
    )?;
    let host = HostName::new(options.host_name.text("options.host_name")?)?;
    let transport = match options.transport {
        0 => Transport::Amqp,
        number => transport(number)?,
    };
    let devices = match devices {
        0 => AmqpPool::DEFAULT_DEVICES_PER_CONNECTION,
        devices => devices as usize,
    };
    Ok(AmqpPool::with_devices_per_connection(host, transport, common, devices)?)
}

fn credential(options: &twin_client_options, certificate: bool) -> Result<Credential, Failure> {
    let key = options.shared_access_key.optional("options.shared_access_key")?;
    let token = options.sas_token.optional("options.sas_token")?;
    match (key, token, certificate) {
        (Some(key), None, false) => Ok(Credential::Key { key: Key::from_base64(key)?, policy: None }),
        (None, Some(token), false) => Ok(Credential::Token(SasToken::parse(token)?)),
        (None, None, true) => Ok(Credential::Certificate),
        _ => Err(Failure::invalid(
            "options must have exactly one of shared_access_key, sas_token and a certificate with its key",
        )),
    }
}

fn certificate(options: &twin_client_options) -> Result<Option<ClientCertificate>, Failure> {
    let pem = (
        options.certificate_pem.optional("options.certificate_pem")?,
        options.key_pem.optional("options.key_pem")?,
    );
    let files = (
        options.certificate_file.optional("options.certificate_file")?,
        options.key_file.optional("options.key_file")?,
    );
    match (pem, files) {
        ((None, None), (None, None)) => Ok(None),
        ((Some(chain), Some(key)), (None, None)) => Ok(Some(ClientCertificate::from_pem(chain, key)?)),
        ((None, None), (Some(chain), Some(key))) => Ok(Some(ClientCertificate::from_pem(
            file(chain, "options.certificate_file")?,
            file(key, "options.key_file")?,
        )?)),
        _ => Err(Failure::invalid(
            "X.509 takes certificate_pem with key_pem, or certificate_file with key_file: both, and no mixture",
        )),
    }
}

fn finish<K: Kind>(
    builder: twin_device::Builder<K>,
    options: &twin_client_options,
    common: Options,
) -> Result<Client<K>, Failure> {
    let has = flags(options.flags)?;
    let mut builder = builder
        .options(common)
        .transport(transport(options.transport)?)
        .merge_reports(!has(twin_flag::TWIN_FLAG_SEPARATE_REPORTS))
        .retry(retry(options, has(twin_flag::TWIN_FLAG_NO_RETRY)));
    if let Some(gateway) = options.gateway_host_name.optional("options.gateway_host_name")? {
        builder = builder.gateway(HostName::new(gateway)?);
    }
    if let Some(text) = options.product_info.optional("options.product_info")? {
        builder = builder.product_info(text);
    }
    if let Some(id) = options.model_id.optional("options.model_id")? {
        builder = builder.model_id(id);
    }
    if options.pool.id != 0 {
        builder = builder.pool(&*POOLS.get(options.pool.id)?);
    }
    if let Some(limit) = millis(options.request_timeout_ms) {
        builder = builder.request_timeout(limit);
    }
    if let Some(limit) = millis(options.answer_timeout_ms) {
        builder = builder.answer_timeout(limit);
    }
    if let Some(lifetime) = seconds(options.token_lifetime_s) {
        builder = builder.token_lifetime(lifetime);
    }
    Ok(builder.build()?)
}

fn retry(options: &twin_client_options, never: bool) -> RetryPolicy {
    if never {
        return RetryPolicy::None;
    }
    let mut policy = RetryPolicy::default();
    if let RetryPolicy::Exponential { first, max, give_up_after, .. } = &mut policy {
        *first = millis(options.retry_first_ms).unwrap_or(*first);
        *max = millis(options.retry_max_ms).unwrap_or(*max);
        *give_up_after = millis(options.retry_give_up_ms);
    }
    policy
}

/// A registry, and whether it is polled.
pub(crate) fn registry(options: &twin_registry_options) -> Result<(Registry, bool), Failure> {
    let has = flags(options.flags)?;
    let mut common = Options::default();
    connection(
        &mut common,
        options.ca_pem,
        options.ca_file,
        options.proxy,
        options.connect_timeout_ms,
        !has(twin_flag::TWIN_FLAG_NO_SYSTEM_TRUST),
    )?;
    if let Some(limit) = millis(options.request_timeout_ms) {
        common.request_timeout = limit;
    }
    let mut retry = if has(twin_flag::TWIN_FLAG_NO_RETRY) { Retry::none() } else { Retry::default() };
    if options.max_attempts != 0 {
        retry.max_attempts = options.max_attempts;
    }
    if let Some(limit) = millis(options.retry_give_up_ms) {
        retry.give_up_after = limit;
    }
    let text = options.connection_string.text("options.connection_string")?;
    let mut builder = Registry::builder(text).connection(common).retry(retry);
    if let Some(lifetime) = seconds(options.token_lifetime_s) {
        builder = builder.token_lifetime(lifetime);
    }
    Ok((builder.build()?, has(twin_flag::TWIN_FLAG_OWN_LOOP)))
}
