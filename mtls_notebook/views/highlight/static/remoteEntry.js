// Highlights cells in the language they are written in, in JupyterLab and Notebook 7: without this, every
// cell magic is shown as Python. Written by hand, in the shape that Lab loads (a module federation container),
// so that installing needs no build step. What may not live here: anything but the choice of a MIME type.
(() => {
  const MIME = {
    js: "text/javascript",
    ts: "application/typescript",
    python: "text/x-python",
    toml: "text/x-toml",
    json: "application/json",
  };

  // First match wins. The kernel decides by the same signs (worker/source.py) and runs the code accordingly.
  const SIGNS = [
    ["python", /^\s*(async\s+def|def|class)\s+\w+.*:\s*(#.*)?$/m],
    ["python", /^\s*from\s+workers\s+import\b/m],
    ["ts", /^\s*(interface\s+\w+|type\s+\w+\s*=)|\bsatisfies\s+ExportedHandler|\(\s*\w+\s*:\s*Request\b/m],
  ];

  const LANGUAGE = /\s--language(?:\s+|=)["']?(js|ts|python)\b/;

  function workerLanguage(line, code) {
    const said = LANGUAGE.exec(line);
    if (said) return said[1];
    return SIGNS.find(([, sign]) => sign.test(code))?.[0] ?? "js";
  }

  // A wrangler configuration is JSON exactly when its first character, comments aside, opens an object.
  function configLanguage(_line, code) {
    return /^(\s|\/\/.*|\/\*[^]*?\*\/)*\{/.test(code) ? "json" : "toml";
  }

  const MAGICS = { worker: workerLanguage, mtls_bindings: configLanguage };

  // Returns the MIME type of a cell's text, undefined for cells that are not ours.
  function mimeType(source) {
    const match = /^\s*%%(\w+)([^\n]*)\n?/.exec(source);
    const language = match && MAGICS[match[1]];
    return language && MIME[language(match[2], source.slice(match[0].length))];
  }

  // The notebook sets every cell's type when the kernel tells its language: what it set is kept, to be given
  // back when the cell stops being ours, and ours is set again.
  function watch(model) {
    let given = model.mimeType;
    let own;

    function apply() {
      if (model.mimeType !== own) given = model.mimeType;
      own = mimeType(model.sharedModel.getSource());
      if (model.mimeType !== (own ?? given)) model.mimeType = own ?? given;
    }

    model.contentChanged.connect(apply);
    model.mimeTypeChanged.connect(apply);
    apply();
  }

  function watchNotebook(panel) {
    const watched = new WeakSet();

    function watchAll() {
      for (const cell of panel.content.model?.cells ?? []) {
        if (cell.type !== "code" || watched.has(cell)) continue;
        watched.add(cell);
        watch(cell);
      }
    }

    function start() {
      panel.content.model?.cells.changed.connect(watchAll);
      watchAll();
    }

    panel.content.modelChanged.connect(start);
    start();
  }

  function plugin({ INotebookTracker }) {
    return {
      id: "mtls-notebook:highlight",
      description: "Highlights %%worker and %%mtls_bindings cells in their own language.",
      autoStart: true,
      requires: [INotebookTracker],
      activate(_app, tracker) {
        tracker.forEach(watchNotebook);
        tracker.widgetAdded.connect((_, panel) => watchNotebook(panel));
      },
    };
  }

  // Lab hands over the modules that it shares; the one needed here is there in a single version.
  let shared = {};

  async function load() {
    const [entry] = Object.values(shared["@jupyterlab/notebook"]);
    const notebook = (await entry.get())();
    return () => ({ __esModule: true, default: plugin(notebook), mimeType });
  }

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB["mtls-notebook"] = {
    init: (scope) => void (shared = scope),
    get: async (name) => {
      if (name !== "./extension") throw new Error(`mtls-notebook has no module ${name}`);
      return load();
    },
  };
})();
