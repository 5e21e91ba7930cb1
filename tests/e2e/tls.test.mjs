// TLS by the clients that people have: curl, node and Chromium, each with a certificate made by openssl.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import WebSocket from "ws";

import { launch } from "./browser.mjs";
import { curl, Stream } from "./curl.mjs";
import { startServer } from "./server.mjs";
import { numbers, until } from "./until.mjs";

const STREAMS = 10; // more than the six connections that a browser opens over HTTP/1.1

let folder;
let server;
let secure;
let ca;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "tidings-tls-"));
  const [key, certificate] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
  execFileSync("openssl", [
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate,
  ], { stdio: "ignore" });
  server = await startServer({ TIDINGS_TLS_CERTIFICATE: certificate, TIDINGS_TLS_KEY: key });
  secure = /https:\/\/127\.0\.0\.1:\d+/.exec(server.output())[0];
  ca = certificate;
});

after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

for (const [flag, version] of [["--http1.1", "1.1"], ["--http2", "2"]]) {
  for (const tls of ["1.2", "1.3"]) {
    test(`curl publishes and listens over TLS ${tls} and HTTP/${version}`, async () => {
      const topic = `${secure}/t/curl-${version}-${tls}`;
      const how = ["--cacert", ca, flag, `--tlsv${tls}`, "--tls-max", tls];
      const listening = new Stream([...how, "-H", "Accept: text/event-stream", topic]);
      await listening.shows("it listens", (text) => text.includes("ready"));
      const large = "x".repeat(500_000);
      assert.equal((await curl([...how, "-H", "Content-Type: text/plain", "--data-binary", "@-", topic], large)).status, 201);
      await listening.shows("the news", (text) => text.includes(`"data":"${large}"`));
      await listening.stop();
      const polled = await curl([...how, "-w", "\n%{http_version}", `${topic}?since=start`]);
      assert.ok(polled.body.includes(large) && polled.body.endsWith(`\n${version}`));
    });
  }
}

test("curl believes no certificate that it was not told of", async () => {
  await assert.rejects(curl([`${secure}/t/curl`]), /certificate/);
});

test("ws: a socket of the package goes over wss", async () => {
  const socket = new WebSocket(`${secure.replace("https", "wss")}/t/ws`, { ca: readFileSync(ca) });
  const said = [];
  socket.on("message", (text) => said.push(JSON.parse(text)));
  await until("it is ready", () => said[0]?.type === "ready");
  for (const number of numbers(100)) socket.send(String(number));
  await until("all come back", () => said.length === 101);
  assert.deepEqual(said.slice(1).map(({ data }) => data), numbers(100).map(String));
  socket.close();
});

test(`Chromium has ${STREAMS} event streams and a WebSocket beside them, over HTTP/2`, async () => {
  const browser = await launch();
  try {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(`${secure}/t/plain?via=poll`);
    const protocol = () => performance.getEntriesByType("navigation")[0].nextHopProtocol;
    assert.equal(await page.evaluate(protocol), "h2");
    await page.evaluate(([streams, url]) => {
      window.got = [];
      for (let index = 0; index < streams; index++) {
        const source = new EventSource("/t/page");
        source.addEventListener("ready", () => window.got.push("ready"));
        source.onmessage = ({ data }) => window.got.push(JSON.parse(data).data);
      }
      window.socket = new WebSocket(url);
      window.socket.onmessage = ({ data }) => window.got.push(JSON.parse(data).data ?? "ready");
    }, [STREAMS, `${secure.replace("https", "wss")}/t/page`]);
    const got = (text) => page.evaluate((text) => window.got.filter((said) => said === text).length, text);
    await until("all are ready", async () => (await got("ready")) === STREAMS + 1);
    await server.publish("page", "from elsewhere");
    await page.evaluate(() => window.socket.send("from the page"));
    for (const text of ["from elsewhere", "from the page"]) {
      await until(`all got what came ${text}`, async () => (await got(text)) === STREAMS + 1);
    }
  } finally {
    await browser.close();
  }
});
