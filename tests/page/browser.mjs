// Opens evidence pages in a browser and prints their faults, one per line; nothing if all is well.
// Arguments: the folder of the packages axe-core and puppeteer-core, the browser, and the pages.

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, executablePath, ...pages] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'node_modules', 'x.js'));
const puppeteer = require('puppeteer-core');
const axe = require('axe-core').source;

const faults = [];
const browser = await puppeteer.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu'] });

/** Opens a page that tells of each request, message and error. */
async function open(file, { width = 1200, scheme = 'light', script = true } = {}) {
  const page = await browser.newPage();
  const fault = (text) => faults.push(`${path.basename(file)} (${width} px, ${scheme}): ${text}`);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.setJavaScriptEnabled(script);
  page.on('console', (message) => fault(`says on the console: ${message.text()}`));
  page.on('pageerror', (error) => fault(`fails: ${error.message}`));
  page.on('dialog', (dialog) => { fault(`opens a dialog: ${dialog.message()}`); dialog.dismiss(); });
  const url = pathToFileURL(file).href;
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const own = request.url() === url || request.url().startsWith('data:image/jpeg;base64,');
    if (!own) fault(`asks for ${request.url().slice(0, 200)}`);
    if (own) request.continue(); else request.abort();
  });
  await page.goto(url, { waitUntil: 'load' });
  return { page, fault };
}

for (const file of pages) {
  for (const scheme of ['light', 'dark']) {
    const { page, fault } = await open(file, { scheme });
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }));
    if (found.passes.length < 10) fault('axe looked at nothing');
    for (const { id, help, nodes } of found.violations) {
      fault(`axe: ${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
    }
    await page.close();
  }

  {
    const { page, fault } = await open(file);
    const inside = await page.evaluate(() => ({
      active: [...document.querySelectorAll('script,iframe,object,embed,form,link,base,video,audio')].map((e) => e.outerHTML),
      handlers: [...document.querySelectorAll('*')].filter((e) =>
        [...e.attributes].some((a) => /^on|^style$|^srcset$|^formaction$/i.test(a.name))).map((e) => e.outerHTML.slice(0, 200)),
      links: [...document.querySelectorAll('[href]')].map((e) => e.getAttribute('href')).filter((href) => !/^#[a-z0-9-]+$/.test(href)),
      dangling: [...document.querySelectorAll('a[href]')].map((e) => e.getAttribute('href')).filter((href) => !document.querySelector(href)),
      images: [...document.images].filter((image) => !image.complete || image.naturalWidth === 0 || !image.alt).length,
      styled: getComputedStyle(document.querySelector('.answer')).borderTopWidth,
      bare: [...document.querySelectorAll('bdi')].filter((e) => /[\u0000-\u001f\u202a-\u202e\u2066-\u2069]/.test(e.textContent)).length,
      first: document.querySelector('h1').getBoundingClientRect().top,
      lang: document.documentElement.lang, dir: document.documentElement.dir,
      stamp: window.harmed === undefined,
    }));
    for (const list of ['active', 'handlers', 'links', 'dangling']) {
      if (inside[list].length) fault(`${list}: ${inside[list].slice(0, 3).join(' | ')}`);
    }
    if (inside.images) fault(`${inside.images} pictures are broken or have no text`);
    if (inside.styled !== '1px') fault('the style does not apply');
    if (inside.bare) fault('control characters reach the page');
    if (!inside.stamp) fault('foreign text ran as a script');
    if (inside.first > 200) fault('the answer is not the first thing seen');
    if ((inside.lang === 'ar') !== (inside.dir === 'rtl')) fault(`${inside.lang} is written ${inside.dir}`);
    await page.close();
  }

  {
    // Everything must work by keyboard: each link, each group of choices, each scrolling part.
    const { page, fault } = await open(file);
    const wanted = await page.evaluate(() => {
      const groups = new Set([...document.querySelectorAll('input')].map((e) => e.name));
      return document.querySelectorAll('a[href],[tabindex="0"]').length + groups.size;
    });
    const seen = new Set();
    for (let i = 0; i < wanted + 5; i++) {
      await page.keyboard.press('Tab');
      const now = await page.evaluate(() => {
        const e = document.activeElement;
        if (e === document.body) return null;
        const all = [...document.querySelectorAll('a,input,[tabindex]')];
        const shown = e.matches('input') ? document.querySelector(`label[for="${e.id}"]`) : e;
        const drawn = getComputedStyle(shown).outlineStyle !== 'none';
        return { key: e.matches('input') ? e.name : `#${all.indexOf(e)}`, drawn };
      });
      if (now === null) break;
      if (!now.drawn) fault(`the focus on ${now.key} cannot be seen`);
      seen.add(now.key);
    }
    if (seen.size !== wanted) fault(`the keyboard reaches ${seen.size} of ${wanted} controls`);
    await page.close();
  }

  for (const script of [true, false]) {
    const { page, fault } = await open(file, { script });
    const radio = await page.$('input.v-source');
    if (radio) {
      await radio.focus();
      await page.keyboard.press('ArrowRight');
      const state = await page.evaluate(() => {
        const over = document.querySelector('.layers .over');
        return [document.querySelector('input.v-clip').checked || document.querySelector('input.v-blink').checked,
          getComputedStyle(over).opacity, getComputedStyle(over).animationName];
      });
      if (!state[0] || (state[1] !== '1' && state[2] !== 'blink')) fault(`the clip cannot be laid over the source: ${state}`);
    }
    await page.close();
  }

  {
    const { page, fault } = await open(file, { width: 360 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > 360) fault(`it is ${wide} px wide on a telephone`);
    await page.emulateMediaType('print');
    const hidden = await page.evaluate(() => {
      const over = document.querySelector('.layers .over');
      return over === null || getComputedStyle(over).opacity === '1';
    });
    if (!hidden) fault('printed, it lacks what is behind a choice');
    await page.close();
  }
}

await browser.close();
faults.forEach((text) => console.log(text));
