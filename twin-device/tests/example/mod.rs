// What the examples in the documentation start with: a hub of their own with one device.

/// A hub on a free port that keeps nothing, a backend's registry, and the connection string of the device `lamp`.
async fn hub_with_lamp() -> twin_device::Result<(twin_hub::Hub, twin_service::Registry, String)> {
    let address = "127.0.0.1:0".parse().expect("an address");
    let hub = twin_hub::Hub::builder().listen(address).ephemeral().start().await?;
    let registry =
        twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    let lamp = twin_service::Identity::new(twin_device::TwinKey::device("lamp")?);
    let made = registry.create(&lamp).await?;
    let Some(twin_service::Authentication::Sas { primary, .. }) = made.authentication else {
        unreachable!("a hub makes keys for identities that come without")
    };
    let key = primary.expose_base64();
    let connection_string =
        format!("HostName={};DeviceId=lamp;SharedAccessKey={}", hub.host_name(), *key);
    Ok((hub, registry, connection_string))
}
