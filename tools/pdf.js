// The pages of the built book, one after another in one document, as paper wants them.
//
// It is begun on the opening page, whose head it keeps. Names of sections, figures and equations get
// their page's before them, and every link to another page leads there. What is folded and a solution
// goes to the end of its chapter; what only draws a figure is left out. Where a page number belongs
// that nobody knows before the first print, a link has the attribute "data-page".
async ({ parts, front }) => {
  const WORDS = { contents: "Contents", solutions: "Solutions" };
  const make = (tag, properties, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const copies = (nodes) => [...nodes].map((node) => node.cloneNode(true));

  /** A page's name in the document, and that of a place in it. */
  const nameOf = (page, id) => page.split("/").pop() + (id ? `.${id}` : "");

  /** @returns {Promise<{ page: string, url: URL, read: Document, article: HTMLElement }>} */
  async function readPage(page) {
    const url = new URL(`/${page}.html`, location.href);
    const read = new DOMParser().parseFromString(await (await fetch(url)).text(), "text/html");
    const article = document.adoptNode(read.querySelector("article.bd-article"));
    return { page, url, read, article };
  }

  /** Take the style sheets of another page, too, and wait for them: each widget has one. */
  async function addStyles({ url, read }) {
    const known = [...document.querySelectorAll("link[rel=stylesheet]")].map((link) => link.href);
    for (const link of read.querySelectorAll("link[rel=stylesheet]")) {
      const { href } = new URL(link.getAttribute("href"), url);
      if (known.includes(href)) continue;
      const sheet = make("link", { rel: "stylesheet", href, media: link.media });
      await new Promise((resolve, reject) => {
        Object.assign(sheet, { onload: resolve, onerror: reject });
        document.head.append(sheet);
      });
    }
  }

  /** Give each place of a page, and each group of radio buttons, a name that no other page has. */
  function rename({ page, article }) {
    for (const attribute of ["id", "name", "for", "aria-labelledby", "aria-describedby"]) {
      for (const each of article.querySelectorAll(`[${attribute}]:not(svg *)`)) {
        const names = each.getAttribute(attribute).split(" ").map((name) => nameOf(page, name));
        each.setAttribute(attribute, names.join(" "));
      }
    }
    article.id = nameOf(page);
  }

  /** Let what leads to a section lead to its heading: the section may begin at the foot of a page. */
  function nameHeadings(article) {
    for (const heading of article.querySelectorAll("section > :is(h1, h2, h3, h4)")) {
      const section = heading.parentElement;
      heading.prepend(...section.querySelectorAll(":scope > span[id]:empty"));
      heading.id = section.id;
      section.removeAttribute("id");
    }
  }

  const pages = parts.flatMap((part) => part.pages);
  const bibliography = pages.at(-1);

  /** Let the links of a page lead within the document, or to where they led from the site. */
  function relink({ page, url, article }, site) {
    for (const link of article.querySelectorAll("a[href]")) {
      const target = new URL(link.getAttribute("href"), url);
      if (target.origin !== location.origin) continue;
      const other = decodeURIComponent(target.pathname).replace(/^\/|\.html$/g, "");
      if (pages.includes(other)) {
        link.setAttribute("href", `#${nameOf(other, target.hash.slice(1))}`);
        if (![page, bibliography].includes(other)) link.dataset.page = "";
      } else if (site) link.href = site + target.pathname;
      else link.removeAttribute("href");
    }
  }

  /** Move the solutions of a chapter to its end, each under the title of its exercise. */
  function gatherSolutions(article) {
    const solutions = make("section", { className: "solutions" }, make("h2", {}, WORDS.solutions));
    let exercise, last;
    for (const each of article.querySelectorAll(".admonition.exercise > .admonition-title, .cell.tag_hide-cell")) {
      if (each.matches(".admonition-title")) {
        exercise = each;
        continue;
      }
      const [details, summary] = ["details", "summary"].map((name) => each.querySelector(name));
      const prompt = summary.querySelector(".collapsed").textContent;
      if (exercise) solutions.append(make("h3", {}, ...copies(exercise.childNodes)));
      else if (prompt !== last) solutions.append(make("p", { className: "prompt" }, prompt));
      [exercise, last] = [null, prompt]; // what follows belongs to the same
      summary.remove();
      details.replaceWith(...details.childNodes);
      solutions.append(each);
    }
    if (solutions.childElementCount > 1) article.append(solutions);
  }

  const titleOf = (heading) => copies(heading.childNodes)
    .filter((node) => !node.matches?.(".headerlink, span[id]"));
  const entry = (href, heading) => make("a", { href, className: "entry" },
    make("span", {}, ...titleOf(heading)), make("span", { className: "dots" }));

  /** The contents: parts, chapters and their sections. */
  function contents(read) {
    const list = make("nav", { className: "book-contents" }, make("h1", {}, WORDS.contents));
    for (const part of parts) {
      const chapters = make("ol");
      for (const page of part.pages) {
        const { article } = read.find((each) => each.page === page);
        const sections = make("ol");
        for (const heading of article.querySelectorAll("h2")) {
          if (heading.id) sections.append(make("li", {}, entry(`#${heading.id}`, heading)));
        }
        const chapter = entry(`#${nameOf(page)}`, article.querySelector("h1"));
        chapters.append(make("li", {}, chapter, sections));
      }
      list.append(...(part.caption ? [make("h2", {}, part.caption)] : []), chapters);
    }
    for (const link of list.querySelectorAll("a.entry")) link.dataset.page = "";
    return list;
  }

  /** A named kind of page for each chapter, which carries its title at its head. */
  function runningHeads(read) {
    const rules = read.map(({ article }, i) => {
      const title = titleOf(article.querySelector("h1")).map((node) => node.textContent).join("");
      article.style.page = `chapter-${i}`;
      return `@page chapter-${i} { @top-left { content: ${JSON.stringify(title)}; } }`;
    });
    return make("style", { textContent: rules.join("\n") });
  }

  const canonical = document.querySelector("link[rel=canonical]");
  const site = canonical?.href.replace(/\/[^/]+\/[^/]+$/, "");
  const read = await Promise.all(pages.map(readPage));
  for (const each of read) {
    await addStyles(each);
    rename(each);
    nameHeadings(each.article);
    relink(each, site);
    for (const image of each.article.querySelectorAll("img")) image.loading = "eager";
    gatherSolutions(each.article);
  }
  const title = make("header", { className: "title-page" },
    make("img", { src: "/_static/logo.svg", alt: "" }),
    make("h1", {}, document.title),
    ...front.map((line) => make("p", {}, line)),
    ...(site ? [make("p", {}, make("a", { href: site }, site))] : []));
  const articles = make("div", { className: "bd-article-container" }, ...read.map(({ article }) => article));
  document.head.append(runningHeads(read));
  document.body.replaceChildren(title, contents(read),
    make("main", { className: "bd-main" }, make("div", { className: "bd-content" }, articles)));
}
