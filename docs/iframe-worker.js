// Browsers start no worker for a page that was opened from a folder: the site's search then runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe"), waiting = [];
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      const load = source => new Promise(done => {
        const script = inside.document.createElement("script");
        script.src = source;
        script.onload = script.onerror = done;
        inside.document.body.append(script);
      });
      const give = data => inside.dispatchEvent(new inside.MessageEvent("message", { data }));
      // what the worker says goes to the page, and not to its own frame
      inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }));
      inside.importScripts = (...sources) => sources.reduce((before, each) => before.then(() => load(each)),
                                                            Promise.resolve());
      this.postMessage = data => waiting.push(data);
      load(new URL(url, location).href).then(() => {
        waiting.forEach(give);
        this.postMessage = give;
      });
      this.terminate = () => frame.remove();
    }
  };
}
