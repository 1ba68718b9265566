#!/usr/bin/env bash
# shellcheck source=tests/carry/carry.sh
. "$(dirname "$0")/carry.sh"
need node
cat >work.js <<'JS'
const zlib = require('zlib'), crypto = require('crypto');
const { Worker, isMainThread, parentPort } = require('worker_threads');
if (!isMainThread) {
    const list = [];
    for (let i = 0; i < 20000; i++) list.push(Buffer.alloc(i % 5000, i % 256));
    parentPort.postMessage(list.reduce((a, b) => a + b.length, 0));
} else {
    const rows = Array.from({ length: 20000 }, (_, i) => ({ i, s: 'x'.repeat(i % 50), l: [i, i + 1] }));
    const text = JSON.stringify(rows);
    const packed = zlib.gzipSync(text);
    console.log(JSON.parse(zlib.gunzipSync(packed).toString()).length, text.length);
    console.log(crypto.createHash('sha256').update(text).digest('hex'));
    let waiting = 4;
    for (let k = 0; k < 4; k++)
        new Worker(__filename).on('message', (n) => { console.log(n); if (--waiting === 0) console.log('done'); });
}
JS
same node "$work/work.js"
