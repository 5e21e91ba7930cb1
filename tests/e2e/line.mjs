// A WebSocket of the `ws` client that keeps every frame it received, for tests to look through.

import WebSocket from "ws";

import { until, within } from "./until.mjs";

export class Line {
  frames = [];
  pings = 0;

  constructor(url, protocols = [], options = {}) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on("message", (bytes, isBinary) => this.frames.push({ bytes, isBinary }));
    this.socket.on("ping", () => (this.pings += 1));
    this.socket.on("error", () => {}); // The close that follows is what tests look at.
    this.closed = new Promise((done) => this.socket.once("close", (code) => done(code)));
    this.refused = new Promise((done) => this.socket.once("unexpected-response", (_, response) => done(response)));
    this.opened = new Promise((done, fail) => this.socket.once("open", done).once("error", fail));
    this.opened.catch(() => {}); // Whoever awaits a refusal does not await this.
  }

  /** Opens a line and waits until it stands. */
  static async open(...how) {
    const line = new Line(...how);
    await within(`${how[0]} opens`, line.opened);
    return line;
  }

  /** The HTTP answer to a handshake that the server refuses: its status and its JSON. */
  static async refusal(...how) {
    const line = new Line(...how);
    const response = await within(`${how[0]} is refused`, line.refused);
    let body = "";
    for await (const piece of response) body += piece;
    return { status: response.statusCode, body: JSON.parse(body) };
  }

  say(frame) {
    this.socket.send(typeof frame === "string" || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** Every frame so far, each as the JSON it must be. */
  get said() {
    return this.frames.map(({ bytes }) => JSON.parse(bytes));
  }

  /** The first frame that `matches`, as soon as it is there. */
  async hear(what, matches) {
    return until(what, () => this.said.find(matches)).catch((error) => {
      throw new Error(`${error.message}; heard ${JSON.stringify(this.said)}`);
    });
  }

  /** Sends a command of tidings.v1 and gives its answer. */
  async ask(command) {
    this.say(command);
    return this.hear(`the answer to ${JSON.stringify(command)}`, (frame) => frame.id === command.id);
  }

  async close() {
    this.socket.close();
    return within("the socket closes", this.closed);
  }
}
