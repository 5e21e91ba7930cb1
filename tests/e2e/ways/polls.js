// The ways of one answer after the other. Each asks from its card's position.

const POLL_MS = 300;

async function get(url, options = {}) {
  const response = await fetch(url, { cache: "no-cache", ...options });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response;
}

async function shortPolling(card) {
  for (;; await pause(POLL_MS)) {
    card.take(await (await get(`${OWN}/t/${TOPIC}?via=poll&limit=1000&since=${card.position}`)).json());
  }
}

/** With nothing younger than XMLHttpRequest. The first is not held, so that the card knows at once whether it is live. */
async function longPolling(card) {
  for (let wait = 0; ; wait = 20) {
    card.take(await new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      request.open("GET", `${ONE}/t/${TOPIC}?via=longpoll&wait=${wait}&since=${card.position}`);
      request.onload = () => request.status === 200 ? done(JSON.parse(request.responseText)) : fail(new Error(request.responseText));
      request.onerror = () => fail(new Error("the request failed"));
      request.send();
    }));
  }
}

let calls = 0;

/** An answer that is a script, which calls a function of this page. */
const jsonp = (query) => new Promise((done, fail) => {
  const name = `call${++calls}`;
  const script = document.createElement("script");
  window[name] = (answer) => answer.error ? fail(new Error(answer.message)) : done(answer);
  script.onerror = () => fail(new Error("the script did not load"));
  script.onload = () => {
    delete window[name];
    script.remove();
  };
  script.src = `${TWO}/t/${TOPIC}?via=jsonp&callback=${name}&${query}`;
  document.head.append(script);
});

async function jsonpPolling(card) {
  for (;; await pause(POLL_MS)) card.take(await jsonp(`since=${card.position}`));
}

async function jsonpLongPolling(card) {
  for (let wait = 0; ; wait = 20) card.take(await jsonp(`wait=${wait}&since=${card.position}`));
}

/** Hears by nothing but the answers to what it publishes, to another topic. */
async function piggyback(card) {
  for (let beat = 0; ; beat += 1, await pause(POLL_MS)) {
    const headers = { "Accept": "application/vnd.tidings.piggyback+json", "Tidings-Topic": TOPIC };
    if (card.position !== "start") headers["Tidings-Position"] = card.position;
    const answer = await (await get(`${TWO}/t/${TOPIC}-beats`, { method: "POST", body: String(beat), headers })).json();
    if (answer.problem || !answer.result.durability) throw new Error(JSON.stringify(answer));
    card.take(answer);
  }
}

/** Polls a feed as a reader of feeds does: an entry whose name is known is not shown again. */
function feed(via, entry, name, content) {
  const known = new Set();
  return async (card) => {
    for (;; await pause(POLL_MS)) {
      const text = await (await get(`${OWN}/t/${TOPIC}?via=${via}&last=1000`)).text();
      const root = new DOMParser().parseFromString(text, "application/xml");
      if (root.querySelector("parsererror")) throw new Error(root.documentElement.textContent);
      card.live();
      for (const item of [...root.getElementsByTagName(entry)].reverse()) {
        const id = item.getElementsByTagName(name)[0].textContent;
        if (known.has(id)) continue;
        known.add(id);
        const shown = new DOMParser().parseFromString(item.getElementsByTagName(content)[0].textContent, "text/html");
        card.hear(via === "rss" ? shown.body.textContent : item.getElementsByTagName(content)[0].textContent);
      }
    }
  };
}
