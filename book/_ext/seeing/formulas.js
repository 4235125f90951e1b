// Sets formulas by KaTeX, whose file is the first argument: reads [{tex, displayMode}, ...] as JSON
// and writes for each {html} or, where KaTeX would have to guess, {error}.

const { readFileSync } = require("node:fs");
const katex = require(process.argv[2]);

/** An attribute without a value, which KaTeX writes for one column, is an error to Firefox. */
const sound = (html) => html.replaceAll(' columnspacing=""', "");

function set({ tex, displayMode }) {
  try {
    return { html: sound(katex.renderToString(tex, { displayMode, strict: "error" })) };
  } catch (error) {
    return { error: error.message };
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(set)));
