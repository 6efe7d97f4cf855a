// Devices that report: one, one report after another; then many at once. Arguments: devices, reports of the one, reports
// of each of the many.
'use strict';
const { Client } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

const [count, alone, each] = process.argv.slice(2).map(Number);
const { BENCH_HOST: host, BENCH_KEY: key } = process.env;

const report = (twin, patch) => new Promise((resolve, reject) =>
  twin.properties.reported.update(patch, (err) => (err ? reject(err) : resolve())));

async function connected(n) {
  const client = Client.fromConnectionString(
    `HostName=${host};DeviceId=meter-${String(n).padStart(7, '0')};SharedAccessKey=${key}`, Mqtt);
  await client.open();
  return { client, twin: await client.getTwin() };
}

const settled = async () => {
  await new Promise((resolve) => setTimeout(resolve, 500));
  global.gc();
  return process.memoryUsage.rss();
};

(async () => {
  const first = await connected(0);
  const times = [];
  for (let i = 0; i < alone; i += 1) {
    const begun = performance.now();
    await report(first.twin, { i });
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);

  const before = await settled();
  const fleet = [];
  for (let n = 1; n <= count; n += 1) fleet.push(await connected(n));
  const bytes = ((await settled()) - before) / count;

  const begun = performance.now();
  await Promise.all(fleet.map(async ({ twin }) => {
    for (let i = 0; i < each; i += 1) await report(twin, { i });
  }));
  const perSecond = (count * each * 1000) / (performance.now() - begun);
  await Promise.all([first, ...fleet].map(({ client }) => client.close()));
  process.stdout.write(JSON.stringify({ p50: times[times.length >> 1], bytes, perSecond }));
})();
