'use strict';
// Paths of a hub, as the official package exports them. Our own connections do not use these.

exports.apiVersion = '2021-04-12';

exports.devicePath = (deviceId) => '/devices/' + deviceId;
exports.deviceEventPath = (deviceId) => exports.devicePath(deviceId) + '/messages/events';
exports.deviceMessagePath = (deviceId) => exports.devicePath(deviceId) + '/messages/devicebound';
exports.deviceMethodPath = (deviceId) => exports.devicePath(deviceId) + '/methods/devicebound';
exports.deviceTwinPath = (deviceId) => exports.devicePath(deviceId) + '/twin';
exports.deviceFeedbackPath = (deviceId, lockToken) => exports.deviceMessagePath(deviceId) + '/' + lockToken;
exports.deviceBlobUploadPath = (deviceId) => exports.devicePath(deviceId) + '/files';
exports.deviceBlobUploadNotificationPath = (deviceId, correlationId) =>
  exports.devicePath(deviceId) + '/files/notifications/' + encodeURIComponent(correlationId);

exports.modulePath = (deviceId, moduleId) => exports.devicePath(deviceId) + '/modules/' + moduleId;
exports.moduleEventPath = (deviceId, moduleId) => exports.modulePath(deviceId, moduleId) + '/messages/events';
// The same as for events, in the official package too.
exports.moduleMessagePath = (deviceId, moduleId) => exports.modulePath(deviceId, moduleId) + '/messages/events';
exports.moduleMethodPath = (deviceId, moduleId) => exports.modulePath(deviceId, moduleId) + '/methods/devicebound';
exports.moduleTwinPath = (deviceId, moduleId) => exports.modulePath(deviceId, moduleId) + '/twin';
exports.moduleInputMessagePath = (deviceId, moduleId) => exports.modulePath(deviceId, moduleId) + '/inputs';

exports.versionQueryString = () => '?api-version=' + exports.apiVersion;
