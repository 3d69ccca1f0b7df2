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

  // First match wins, as in the kernel (worker/source.py), which runs the code accordingly. Written out where the
  // two languages read a pattern differently: WORD and REST are Python's \w and "." there.
  const WORD = "[\\p{L}\\p{N}_]";
  const REST = "[^\\n]*";
  const sign = (pattern) => new RegExp(pattern.replaceAll("WORD", WORD).replaceAll("REST", REST), "mu");
  const SIGNS = [
    ["python", sign("^\\s*(?:async\\s+def|def|class)\\s+WORD+REST:\\s*(?:#REST)?$")],
    ["python", sign("^\\s*from\\s+workers\\s+import(?!WORD)")],
    ["ts", sign("^\\s*(?:interface\\s+WORD+|type\\s+WORD+\\s*=)|(?<!WORD)satisfies\\s+ExportedHandler|\\(\\s*WORD+\\s*:\\s*Request(?!WORD)")],
    ["js", sign("^\\s*export\\s+(?:default|const|class|function|async|\\{)|addEventListener\\s*\\(")],
    ["js", sign("^\\s*(?:const|let|var|function|import\\s+(?:WORD|[{*])RESTfrom)(?!WORD)|=>")],
  ];

  // Lab's own parser of Python, once it is here: what it reads without an error is Python for the kernel too.
  let python = null;
  let waiting = [];

  async function learnPython(registry) {
    python = (await registry?.getLanguage("text/x-python"))?.support?.language.parser ?? null;
    for (const apply of waiting) apply();
    waiting = [];
  }

  function isPython(code) {
    if (/^(\s|#[^\n]*(\n|$))*$/.test(code)) return true; // no statement yet, which that parser takes for an error
    const statements = code.replace(/^([ \t]*(#[^\n]*)?\n)*/, "");
    if (!python || /^[ \t]/.test(statements)) return false; // it does not mind an indented first statement
    let wrong = false;
    python.parse(code).iterate({ enter: (node) => void (wrong ||= node.type.isError) });
    return !wrong;
  }

  // Returns the value of the last --language on the line; what stands in quotes is no option.
  function saidLanguage(line) {
    const words = (line.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
    const said = words.map((word, at) => (word === "--language" ? words[at + 1] : /^--language=["']?(\w+)/.exec(word)?.[1]));
    return said.filter((word) => ["js", "ts", "python"].includes(word)).at(-1);
  }

  function workerLanguage(line, code) {
    return saidLanguage(line) ?? SIGNS.find(([, sign]) => sign.test(code))?.[0] ?? (isPython(code) ? "python" : "js");
  }

  // As the kernel decides (session/config.py): TOML knows neither an opening brace nor these comments.
  function configLanguage(_line, code) {
    return /^[\ufeff \t\r\n]*(\{|\/\/|\/\*)/.test(code) ? "json" : "toml";
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
    if (!python) waiting.push(apply);
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

  function plugin({ INotebookTracker }, { IEditorLanguageRegistry }) {
    return {
      id: "mtls-notebook:highlight",
      description: "Highlights %%worker and %%mtls_bindings cells in their own language.",
      autoStart: true,
      requires: [INotebookTracker],
      optional: [IEditorLanguageRegistry],
      activate(_app, tracker, languages) {
        learnPython(languages);
        tracker.forEach(watchNotebook);
        tracker.widgetAdded.connect((_, panel) => watchNotebook(panel));
      },
    };
  }

  // Lab hands over the modules that it shares; those needed here are there in a single version.
  let shared = {};

  async function load() {
    const names = ["@jupyterlab/notebook", "@jupyterlab/codemirror"];
    const made = names.map(async (name) => (await Object.values(shared[name])[0].get())());
    const [notebook, editors] = await Promise.all(made);
    return () => ({ __esModule: true, default: plugin(notebook, editors), mimeType });
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
