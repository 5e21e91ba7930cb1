// The ways that need no request of a script's: frames and a picture. And Pushlet clients, which have a frame, too.

const LOOK_MS = 50;

function frame(card, src) {
  const frame = document.createElement("iframe");
  frame.src = src;
  card.row.querySelector(".live").replaceChildren(frame);
  return frame;
}

/** The page without JavaScript refreshes itself. While the server is down it cannot, and somebody has to open it again. */
async function metaRefresh(card) {
  const shown = frame(card, `${OWN}/t/${TOPIC}?via=page&last=200&refresh=1`);
  const isOurs = () => {
    try {
      return shown.contentDocument?.querySelector("main") ?? null;
    } catch {
      return null; // A page of the browser's own, which says that the server is not there.
    }
  };
  for (let misses = 0; misses < 20; await pause(LOOK_MS)) {
    const main = isOurs();
    misses = main ? 0 : misses + 1;
    if (!main || shown.contentDocument.readyState === "loading") continue;
    card.live();
    card.see(numbersIn(main.textContent).reverse());
  }
}

/** A document that never ends, of another origin, whose scripts post to this page. */
const foreverIframe = (card) => new Promise((done) => {
  const alive = watch(() => end());
  const hear = ({ source, origin, data }) => {
    if (source !== shown.contentWindow || origin !== TWO) return;
    alive();
    card.live();
    card.event(JSON.parse(data));
  };
  const end = () => {
    window.removeEventListener("message", hear);
    alive.stop();
    done();
  };
  window.addEventListener("message", hear);
  const shown = frame(card, `${TWO}/t/${TOPIC}?via=iframe&origin=${location.origin}&since=${card.position}`);
  shown.onload = end;
});

const SERVLET = "/pushlet/pushlet.srv";

/** A Pushlet frame, as pages had it: its scripts call `push` of the page around it. */
const pushletFrame = (card) => new Promise((done) => {
  const alive = watch(() => {
    alive.stop();
    done();
  });
  window.push = (...pairs) => {
    const event = Object.fromEntries(pairs.flatMap((name, index) => index % 2 ? [] : [[name, pairs[index + 1]]]));
    alive();
    if (event.p_id) card.id = event.p_id;
    if (event.p_event === "nack" || event.p_event === "abort") card.faults.push(JSON.stringify(event));
    if (event.p_event === "data") card.hear(event.data, event.p_position);
    card.live();
  };
  const how = card.id ? `listen&p_id=${card.id}` : `join-listen&p_subject=/${TOPIC}`;
  frame(card, `${SERVLET}?p_event=${how}&p_mode=stream&p_position=${card.position}`);
});

/** A Pushlet client that pulls XML, and goes where each answer says. */
async function pushletPull(card) {
  card.next ??= `pushlet.srv?p_event=join-listen&p_format=xml-strict&p_mode=pull&p_subject=/${TOPIC}&p_position=start`;
  for (;;) {
    const text = await (await get(new URL(card.next, OWN + SERVLET))).text();
    const root = new DOMParser().parseFromString(text, "application/xml");
    card.live();
    for (const event of root.getElementsByTagName("event")) {
      const kind = event.getAttribute("p_event");
      if (kind === "data") card.hear(event.getAttribute("data"));
      if (kind === "refresh") card.next = event.getAttribute("p_url");
      if (kind === "nack" || kind === "abort") card.faults.push(event.outerHTML);
    }
  }
}

/**
 * A picture, live. A browser does not say which part it shows, so the page looks at it: its colour is its number. Nor does it say
 * that the stream has ended; so the page sets it again when the EventSource beside it says that the server is back.
 */
async function picture(card) {
  const image = new Image();
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  let isOver = false;
  window.addEventListener("serverback", () => (isOver = true), { once: true });
  image.src = `${OWN}/t/${TOPIC}?via=multipart&last=1#${card.returns}`;
  card.row.querySelector(".live").replaceChildren(image);
  card.live(); // There is nothing to see before the first.
  for (; !isOver; await pause(LOOK_MS)) {
    if (!image.naturalWidth) continue;
    try {
      canvas.drawImage(image, 0, 0);
    } catch {
      continue; // It broke with its stream.
    }
    const [red, green, number] = canvas.getImageData(1, 1, 1, 1).data;
    if (red === 0 && green === 0 && number > 0) card.replace(number);
  }
}
