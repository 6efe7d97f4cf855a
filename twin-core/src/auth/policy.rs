//! Rights of shared access policies (facts 4.2).

/// A set of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Read identities.
    pub const REGISTRY_READ: Self = Self(1);
    /// Write identities; includes reading, as .NET's flags do (RegistryWrite = 3).
    pub const REGISTRY_WRITE: Self = Self(3);
    /// Twins, queries, methods, messages.
    pub const SERVICE_CONNECT: Self = Self(4);
    /// What devices do.
    pub const DEVICE_CONNECT: Self = Self(8);
    /// Everything.
    pub const ALL: Self = Self(15);

    /// Both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Whether all of `other` is in here.
    pub const fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// The rights of a built-in policy: `iothubowner`, `service`, `device`, `registryRead`, `registryReadWrite`.
    pub fn built_in(policy: &str) -> Option<Self> {
        Some(match policy {
            "iothubowner" => Self::ALL,
            "service" => Self::SERVICE_CONNECT,
            "device" => Self::DEVICE_CONNECT,
            "registryRead" => Self::REGISTRY_READ,
            "registryReadWrite" => Self::REGISTRY_WRITE,
            _ => return None,
        })
    }
    /// The names of the built-in policies.
    pub const BUILT_IN: [&'static str; 5] =
        ["iothubowner", "service", "device", "registryRead", "registryReadWrite"];
}
