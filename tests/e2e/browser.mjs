// A Chromium for the tests, and a page that records everything it should not have done.

import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/** A page with `faults`: console errors, uncaught errors and requests to another host than `url`'s. */
export async function watchedPage(browser, url) {
  const page = await browser.newPage();
  const faults = [];
  const host = new URL(url).host;
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  const record = (address) => new URL(address).host !== host && faults.push(`request to ${address}`);
  page.on("request", (request) => request.url().startsWith("data:") || record(request.url()));
  page.on("websocket", (socket) => record(socket.url()));
  return { page, faults };
}

/** A page of the server's own origin without the server's page: a poll's JSON, as shown. */
export async function plainPage(browser, url) {
  const page = await browser.newPage();
  await page.goto(`${url}/t/plain?via=poll`);
  return page;
}

/** A page in whatever browser, of the server's own origin or of the one that `url` says, on which nothing is. */
export async function blankPage(browser, server, url = server.url) {
  await server.publish("blank", "");
  const page = await browser.newPage();
  // The text of a stream that has ended; a browser shows it as it is.
  await page.goto(`${url}/t/blank?via=xhr&since=start&limit=1`);
  await page.evaluate(() => {
    document.open();
    document.write("<!doctype html><title>Blank</title><body></body>");
    document.close();
  });
  return page;
}
