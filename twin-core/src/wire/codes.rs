//! The service's error codes: number, constant, name, in one table.
//!
//! Sources: "Troubleshoot Azure IoT Hub error codes" (text of January 2026), and the .NET SDK's `ErrorCode.cs` for
//! 503003 and 504101. The document prints `DeviceNotOnline` once as 404102 and once as 404103; the service and
//! every SDK say 404103. 501000 `NotImplemented` is ours: the API is documented and this hub does not serve it yet.

/// One row of the service's error table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HubCode {
    /// HTTP status, which is also the status on MQTT and AMQP.
    pub status: u16,
    /// Number, e.g. `404001`: the status and three digits.
    pub number: u32,
    /// Name, e.g. `DeviceNotFound`.
    pub name: &'static str,
}

macro_rules! hub_codes {
    ($($number:literal $constant:ident $name:ident;)*) => {
        impl HubCode {
            $(
                #[doc = concat!("`", stringify!($number), " ", stringify!($name), "`")]
                pub const $constant: HubCode = HubCode {
                    status: ($number / 1000) as u16,
                    number: $number,
                    name: stringify!($name),
                };
            )*

            /// Every row, in order of number.
            pub const ALL: &'static [HubCode] = &[$(HubCode::$constant,)*];
        }
    };
}

hub_codes! {
    400000 GENERIC_BAD_REQUEST GenericBadRequest;
    400001 INVALID_PROTOCOL_VERSION InvalidProtocolVersion;
    400002 DEVICE_INVALID_RESULT_COUNT DeviceInvalidResultCount;
    400003 INVALID_OPERATION InvalidOperation;
    400004 ARGUMENT_INVALID ArgumentInvalid;
    400005 ARGUMENT_NULL ArgumentNull;
    400006 IOT_HUB_FORMAT_ERROR IotHubFormatError;
    400007 DEVICE_STORAGE_ENTITY_SERIALIZATION_ERROR DeviceStorageEntitySerializationError;
    400008 BLOB_CONTAINER_VALIDATION_ERROR BlobContainerValidationError;
    400009 IMPORT_WARNING_EXISTS_ERROR ImportWarningExistsError;
    400010 INVALID_SCHEMA_VERSION InvalidSchemaVersion;
    400011 DEVICE_DEFINED_MULTIPLE_TIMES DeviceDefinedMultipleTimes;
    400012 DESERIALIZATION_ERROR DeserializationError;
    400013 BULK_REGISTRY_OPERATION_FAILURE BulkRegistryOperationFailure;
    400014 DEFAULT_STORAGE_ENDPOINT_NOT_CONFIGURED DefaultStorageEndpointNotConfigured;
    400015 INVALID_FILE_UPLOAD_CORRELATION_ID InvalidFileUploadCorrelationId;
    400016 EXPIRED_FILE_UPLOAD_CORRELATION_ID ExpiredFileUploadCorrelationId;
    400017 INVALID_STORAGE_ENDPOINT InvalidStorageEndpoint;
    400018 INVALID_MESSAGING_ENDPOINT InvalidMessagingEndpoint;
    400019 INVALID_FILE_UPLOAD_COMPLETION_STATUS InvalidFileUploadCompletionStatus;
    400020 INVALID_STORAGE_ENDPOINT_OR_BLOB InvalidStorageEndpointOrBlob;
    400021 REQUEST_CANCELED RequestCanceled;
    400022 INVALID_STORAGE_ENDPOINT_PROPERTY InvalidStorageEndpointProperty;
    400023 ETAG_DOES_NOT_MATCH EtagDoesNotMatch;
    400024 REQUEST_TIMED_OUT RequestTimedOut;
    400025 UNSUPPORTED_OPERATION_ON_REPLICA UnsupportedOperationOnReplica;
    400026 NULL_MESSAGE NullMessage;
    400027 CONNECTION_FORCEFULLY_CLOSED_ON_NEW_CONNECTION ConnectionForcefullyClosedOnNewConnection;
    400028 INVALID_DEVICE_SCOPE InvalidDeviceScope;
    400029 CONNECTION_FORCEFULLY_CLOSED_ON_FAULT_INJECTION ConnectionForcefullyClosedOnFaultInjection;
    400030 CONNECTION_REJECTED_ON_FAULT_INJECTION ConnectionRejectedOnFaultInjection;
    400031 INVALID_ENDPOINT_AUTHENTICATION_TYPE InvalidEndpointAuthenticationType;
    400032 MANAGED_IDENTITY_NOT_ENABLED ManagedIdentityNotEnabled;
    400035 INVALID_POLICY_KEY InvalidPolicyKey;
    400036 BULK_REGENERATE_DEVICE_KEY_OPERATION_FAILURE BulkRegenerateDeviceKeyOperationFailure;
    400100 INVALID_ROUTE_TEST_INPUT InvalidRouteTestInput;
    400101 INVALID_SOURCE_ON_ROUTE InvalidSourceOnRoute;
    400102 ROUTING_NOT_ENABLED RoutingNotEnabled;
    400103 INVALID_CONTENT_ENCODING_OR_TYPE InvalidContentEncodingOrType;
    400301 CANNOT_REGISTER_MODULE_TO_MODULE CannotRegisterModuleToModule;
    400302 TENANT_HUB_ROUTING_NOT_ENABLED TenantHubRoutingNotEnabled;
    400401 INVALID_CONFIGURATION_TARGET_CONDITION InvalidConfigurationTargetCondition;
    400402 INVALID_CONFIGURATION_CONTENT InvalidConfigurationContent;
    400403 CANNOT_MODIFY_IMMUTABLE_CONFIGURATION_CONTENT CannotModifyImmutableConfigurationContent;
    400404 INVALID_CONFIGURATION_CUSTOM_METRICS_QUERY InvalidConfigurationCustomMetricsQuery;
    401000 GENERIC_UNAUTHORIZED GenericUnauthorized;
    401001 IOT_HUB_NOT_FOUND IotHubNotFound;
    401002 IOT_HUB_UNAUTHORIZED_ACCESS IotHubUnauthorizedAccess;
    401003 IOT_HUB_UNAUTHORIZED IotHubUnauthorized;
    401100 SYSTEM_MODULE_MODIFY_UNAUTHORIZED_ACCESS SystemModuleModifyUnauthorizedAccess;
    403000 GENERIC_FORBIDDEN GenericForbidden;
    403001 IOT_HUB_SUSPENDED IotHubSuspended;
    403002 IOT_HUB_QUOTA_EXCEEDED IotHubQuotaExceeded;
    403003 JOB_QUOTA_EXCEEDED JobQuotaExceeded;
    403004 DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED DeviceMaximumQueueDepthExceeded;
    403005 IOT_HUB_MAX_CBS_TOKEN_EXCEEDED IotHubMaxCbsTokenExceeded;
    403006 DEVICE_MAXIMUM_ACTIVE_FILE_UPLOAD_LIMIT_EXCEEDED DeviceMaximumActiveFileUploadLimitExceeded;
    403007 DEVICE_MAXIMUM_QUEUE_SIZE_EXCEEDED DeviceMaximumQueueSizeExceeded;
    403008 ROUTING_ENDPOINT_RESPONSE_FORBIDDEN RoutingEndpointResponseForbidden;
    403009 INVALID_MESSAGE_EXPIRY_TIME InvalidMessageExpiryTime;
    403010 OPERATION_NOT_AVAILABLE_IN_CURRENT_TIER OperationNotAvailableInCurrentTier;
    403011 KEY_ENCRYPTION_KEY_REVOKED KeyEncryptionKeyRevoked;
    403012 DEVICE_DISABLED DeviceDisabled;
    403100 DEVICE_MODEL_MAX_PROPERTIES_EXCEEDED DeviceModelMaxPropertiesExceeded;
    403101 DEVICE_MODEL_MAX_INDEXABLE_PROPERTIES_EXCEEDED DeviceModelMaxIndexablePropertiesExceeded;
    403800 DEVICE_MAXIMUM_INFLIGHT_METHOD_EXCEEDED DeviceMaximumInflightMethodExceeded;
    404000 GENERIC_NOT_FOUND GenericNotFound;
    404001 DEVICE_NOT_FOUND DeviceNotFound;
    404002 JOB_NOT_FOUND JobNotFound;
    404004 QUOTA_METRIC_NOT_FOUND QuotaMetricNotFound;
    404005 SYSTEM_PROPERTY_NOT_FOUND SystemPropertyNotFound;
    404006 AMQP_ADDRESS_NOT_FOUND AmqpAddressNotFound;
    404007 ROUTING_ENDPOINT_RESPONSE_NOT_FOUND RoutingEndpointResponseNotFound;
    404008 CERTIFICATE_NOT_FOUND CertificateNotFound;
    404010 MODULE_NOT_FOUND ModuleNotFound;
    404012 IOT_HUB_FAILING_OVER IotHubFailingOver;
    404013 FEATURE_NOT_SUPPORTED FeatureNotSupported;
    404014 DIGITAL_TWIN_INTERFACE_NOT_FOUND DigitalTwinInterfaceNotFound;
    404101 QUERY_STORE_CLUSTER_NOT_FOUND QueryStoreClusterNotFound;
    404103 DEVICE_NOT_ONLINE DeviceNotOnline;
    404104 DEVICE_CONNECTION_CLOSED_REMOTELY DeviceConnectionClosedRemotely;
    404301 CONFIGURATION_NOT_FOUND ConfigurationNotFound;
    404302 GROUP_NOT_FOUND GroupNotFound;
    405000 GENERIC_METHOD_NOT_ALLOWED GenericMethodNotAllowed;
    405102 OPERATION_NOT_ALLOWED_IN_CURRENT_STATE OperationNotAllowedInCurrentState;
    405103 IMPORT_DEVICES_NOT_SUPPORTED ImportDevicesNotSupported;
    405104 BULK_ADD_DEVICES_NOT_SUPPORTED BulkAddDevicesNotSupported;
    409000 GENERIC_CONFLICT GenericConflict;
    409001 DEVICE_ALREADY_EXISTS DeviceAlreadyExists;
    409002 LINK_CREATION_CONFLICT LinkCreationConflict;
    409003 CALLBACK_SUBSCRIPTION_CONFLICT CallbackSubscriptionConflict;
    409101 MODEL_ALREADY_EXISTS ModelAlreadyExists;
    409102 DEVICE_LOCKED DeviceLocked;
    409103 DEVICE_JOB_ALREADY_EXISTS DeviceJobAlreadyExists;
    409104 JOB_ALREADY_EXISTS JobAlreadyExists;
    409301 MODULE_ALREADY_EXISTS_ON_DEVICE ModuleAlreadyExistsOnDevice;
    409401 CONFIGURATION_ALREADY_EXISTS ConfigurationAlreadyExists;
    409402 APPLY_CONFIGURATION_ALREADY_IN_PROGRESS_ON_DEVICE ApplyConfigurationAlreadyInProgressOnDevice;
    412000 GENERIC_PRECONDITION_FAILED GenericPreconditionFailed;
    412001 PRECONDITION_FAILED PreconditionFailed;
    412002 DEVICE_MESSAGE_LOCK_LOST DeviceMessageLockLost;
    412003 JOB_RUN_PRECONDITION_FAILED JobRunPreconditionFailed;
    412004 INFLIGHT_MESSAGES_IN_LINK InflightMessagesInLink;
    413000 GENERIC_REQUEST_ENTITY_TOO_LARGE GenericRequestEntityTooLarge;
    413001 MESSAGE_TOO_LARGE MessageTooLarge;
    413002 TOO_MANY_DEVICES TooManyDevices;
    413003 TOO_MANY_MODULES_ON_DEVICE TooManyModulesOnDevice;
    413101 CONFIGURATION_COUNT_LIMIT_EXCEEDED ConfigurationCountLimitExceeded;
    415000 GENERIC_UNSUPPORTED_MEDIA_TYPE GenericUnsupportedMediaType;
    415101 INCOMPATIBLE_DATA_TYPE IncompatibleDataType;
    429000 GENERIC_TOO_MANY_REQUESTS GenericTooManyRequests;
    429001 THROTTLING_EXCEPTION ThrottlingException;
    429002 THROTTLE_BACKLOG_LIMIT_EXCEEDED ThrottleBacklogLimitExceeded;
    429003 THROTTLING_BACKLOG_TIMEOUT ThrottlingBacklogTimeout;
    429004 THROTTLING_MAX_ACTIVE_JOB_COUNT_EXCEEDED ThrottlingMaxActiveJobCountExceeded;
    429005 DEVICE_THROTTLING_LIMIT_EXCEEDED DeviceThrottlingLimitExceeded;
    499000 CLIENT_CLOSED_REQUEST ClientClosedRequest;
    500001 SERVER_ERROR ServerError;
    500008 GENERIC_TIMEOUT GenericTimeout;
    501000 NOT_IMPLEMENTED NotImplemented;
    502000 GENERIC_BAD_GATEWAY GenericBadGateway;
    503000 GENERIC_SERVICE_UNAVAILABLE GenericServiceUnavailable;
    503001 SERVICE_UNAVAILABLE ServiceUnavailable;
    503003 PARTITION_NOT_FOUND PartitionNotFound;
    503004 IOT_HUB_ACTIVATION_FAILED IotHubActivationFailed;
    503005 SERVER_BUSY ServerBusy;
    503006 IOT_HUB_RESTORING IotHubRestoring;
    503008 RECEIVE_LINK_OPENS_THROTTLED ReceiveLinkOpensThrottled;
    504101 GATEWAY_TIMEOUT GatewayTimeout;
}

impl HubCode {
    /// The row with this number.
    pub fn by_number(number: u32) -> Option<HubCode> {
        let at = Self::ALL.binary_search_by_key(&number, |code| code.number).ok()?;
        Some(Self::ALL[at])
    }

    /// The row with this name, in any case of letters.
    pub fn by_name(name: &str) -> Option<HubCode> {
        Self::ALL.iter().copied().find(|code| code.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_found_by_number_and_name() {
        for pair in HubCode::ALL.windows(2) {
            assert!(pair[0].number < pair[1].number, "{pair:?}");
        }
        for code in HubCode::ALL {
            assert_eq!(u32::from(code.status), code.number / 1000);
            assert_eq!(HubCode::by_number(code.number), Some(*code));
            assert_eq!(HubCode::by_name(&code.name.to_uppercase()), Some(*code));
        }
        assert_eq!(HubCode::by_number(404102), None);
        assert_eq!(HubCode::by_name(""), None);
    }
}
