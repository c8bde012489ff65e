// Reviews in a browser by keyboard alone, and prints the faults, one per line; nothing if all is
// well.
// Arguments: the folder of the packages axe-core and puppeteer-core, the browser, the address of
// the service, the keys of two reviewers, and the submission to review. With UNIQ_SHOTS, saves
// pictures of the pages in that folder.

import { createRequire } from 'node:module';
import path from 'node:path';

const [modules, executablePath, address, key, secondKey, subject] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'node_modules', 'x.js'));
const puppeteer = require('puppeteer-core');
const axe = require('axe-core').source;
const shots = process.env.UNIQ_SHOTS;

const faults = [];
const browser = await puppeteer.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu'] });

/** A browser of its own: nothing of another is known in it. */
async function visitor(name, { lang = 'en', script = true, width = 1200, scheme = 'light' } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const fault = (text) => faults.push(`${name} (${lang}, ${script ? 'with' : 'without'} script, ${width} px): ${text}`);
  await page.setViewport({ width, height: 900 });
  await page.setJavaScriptEnabled(script);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  let expected = 0;
  page.on('console', (message) => {
    // The browser itself logs responses with an error status.
    if (expected > 0 && /status of 40[19]/.test(message.text())) { expected -= 1; return; }
    fault(`says on the console: ${message.text()}`);
  });
  page.on('pageerror', (error) => fault(`fails: ${error.message}`));
  page.on('dialog', (dialog) => { fault(`opens a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${address}/review`) && !url.startsWith('data:image/jpeg')) fault(`asks for ${url.slice(0, 200)}`);
  });

  const look = async (what) => {
    if (shots) await page.screenshot({ path: path.join(shots, `${name}-${what}-${lang}-${width}.png`), fullPage: true });
    // It needs timers, which a page without scripts does not have.
    if (script) await page.evaluate(axe);
    const found = !script ? { passes: Array(10), violations: [] } : await page.evaluate(() => axe.run(document, {
      iframes: false, runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }));
    if (found.passes.length < 10) fault(`${what}: axe looked at nothing`);
    for (const { id, help, nodes } of found.violations) {
      fault(`${what}: axe: ${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(' | ')}`);
    }
    const state = await page.evaluate(() => ({
      lang: document.documentElement.lang, dir: document.documentElement.dir, wide: document.documentElement.scrollWidth,
      bare: [...document.querySelectorAll('bdi')].filter((e) => /[\u0000-\u001f\u202a-\u202e\u2066-\u2069]/.test(e.textContent)).length,
      handlers: [...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => /^on|^style$/i.test(a.name))).length,
      small: [...document.querySelectorAll('a,button,input:not([type=hidden]),select,summary')].filter((e) => {
        const box = e.getBoundingClientRect();
        return box.width > 1 && box.height < 24 && !e.closest('p,.choice,li,dd,.skip');
      }).map((e) => e.outerHTML.slice(0, 100)),
    }));
    if (state.lang !== lang || (state.dir === 'rtl') !== (lang === 'ar')) fault(`${what}: is ${state.lang}, ${state.dir}`);
    if (state.wide > width) fault(`${what}: is ${state.wide} px wide`);
    if (state.bare) fault(`${what}: control characters reach the page`);
    if (state.handlers) fault(`${what}: has code or styles in attributes`);
    if (state.small.length) fault(`${what}: too small to hit: ${state.small.slice(0, 3).join(' | ')}`);
  };

  /** Goes on with Tab until the control is reached; each on the way shows its focus. */
  const tabTo = async (selector) => {
    for (let i = 0; i < 200; i++) {
      await page.keyboard.press('Tab');
      const now = await page.evaluate((wanted) => {
        const e = document.activeElement;
        if (e === document.body) return { at: 'the page' };
        return { is: e.matches(wanted), drawn: getComputedStyle(e).outlineStyle !== 'none' || e.tagName === 'IFRAME', at: e.outerHTML.slice(0, 120) };
      }, selector);
      if (now.drawn === false) fault(`the focus on ${now.at} cannot be seen`);
      if (now.is) return true;
    }
    fault(`the keyboard does not reach ${selector}`);
    return false;
  };
  const press = async (name) => {
    await Promise.all([page.waitForNavigation({ waitUntil: 'load', timeout: 30000 }), page.keyboard.press(name)]);
  };
  const has = async (selector) => (await page.$(selector)) !== null;

  const logIn = async (with_key) => {
    await page.goto(`${address}/review/login?lang=${lang}`, { waitUntil: 'load' });
    await tabTo('#key');
    await page.keyboard.type(with_key);
    await press('Enter');
  };
  /** Opens a submission out of the queue. */
  const open = async (id) => {
    if (await tabTo(`a.item[href="/review/submissions/${id}"]`)) await press('Enter');
  };
  /** Chooses, gives a reason, and sends the form. */
  const decide = async (radio, name, reason) => {
    if (!(await tabTo(`[id^="${name}-"][type=radio]`))) return;
    for (let i = 0; i < 4 && !(await page.evaluate((id) => document.getElementById(id).checked, radio)); i++) {
      await page.keyboard.press(i === 0 ? 'Space' : 'ArrowDown');
    }
    await tabTo(`#${name}-reason`);
    await page.keyboard.type(reason);
    await press('Enter');
  };
  const must = async (selector, what) => { if (!(await has(selector))) fault(`${what}: there is no ${selector}`); };
  return { page, fault, look, tabTo, press, has, must, logIn, open, decide, expect: () => { expected += 1; }, close: () => context.close() };
}

for (const lang of ['en', 'ar']) {
  for (const script of [true, false]) {
    const first = await visitor('first', { lang, script });
    await first.page.goto(`${address}/review/login?lang=${lang}`, { waitUntil: 'load' });
    await first.look('login');
    await first.tabTo('#key');
    await first.page.keyboard.type('uniq_wrong');
    first.expect();
    await first.press('Enter');
    await first.must('#refused', 'a wrong key');
    await first.look('refused');
    await first.logIn(key);
    await first.must('table.queue', 'the queue');
    await first.look('queue');
    await first.page.keyboard.press('Tab');
    await first.page.keyboard.press('Enter');
    if (!(await first.page.evaluate(() => location.hash === '#content'))) first.fault('the skip link does not skip');
    await first.page.goto(`${address}/review?state=all`, { waitUntil: 'load' });
    await first.open(subject);
    await first.must('#match-1', 'the submission');
    await first.look('submission');
    // A decision that makes seconds payable waits for the second person.
    await first.decide('match-1-allowed', 'match-1', 'licensed to the platform');
    await first.must('#done', 'the decision');
    await first.must('#waiting', 'the decision');
    await first.look('waits');

    const second = await visitor('second', { lang, script });
    await second.logIn(secondKey);
    await second.page.goto(`${address}/review?state=waiting`, { waitUntil: 'load' });
    await second.open(subject);
    await second.look('opened-elsewhere');
    await second.tabTo('main .card button');
    await second.press('Enter');
    await second.tabTo('[id$="-confirm"]');
    await second.page.keyboard.type('seen it too');
    await second.press('Enter');
    await second.must('#done', 'the confirmation');
    await second.look('done');
    // And back, so that the next run finds the same state.
    await second.tabTo('.undo summary');
    await second.page.keyboard.press('Enter');
    await second.tabTo('[id$="-undo"]');
    await second.page.keyboard.type('an error');
    await second.look('undoing');
    await second.press('Enter');
    await second.must('#done', 'the undoing');
    await second.decide('whole-dispute', 'whole', 'looks staged');
    await second.must('#done', 'the dispute');
    await second.tabTo('.undo summary');
    await second.page.keyboard.press('Enter');
    await second.tabTo('[id$="-undo"]');
    await second.page.keyboard.type('it was not');
    await second.press('Enter');
    await second.must('#waiting', 'a dispute that was undone waits');
    await second.look('log');
    await second.tabTo('.mine button');
    await second.press('Enter');
    await second.tabTo('.person button');
    await second.press('Enter');
    await second.must('#key', 'logged out');
    await first.page.goto(`${address}/review?state=waiting`, { waitUntil: 'load' });
    await first.open(subject);
    await first.tabTo('[id$="-confirm"]');
    await first.page.keyboard.type('it was not');
    await first.press('Enter');
    await first.must('#done', 'the undoing of the dispute');
    await first.tabTo('.mine button');
    await first.press('Enter');
    // The evidence page alone.
    await first.page.goto(`${address}/review/submissions/${subject}/page`, { waitUntil: 'load' });
    await first.must('.answer', 'the evidence');
    await first.close();
    await second.close();
  }
  // On a phone, and in dark mode.
  const narrow = await visitor('narrow', { lang, width: 390, scheme: 'dark' });
  await narrow.logIn(key);
  await narrow.page.goto(`${address}/review?state=all`, { waitUntil: 'load' });
  await narrow.look('queue');
  await narrow.open(subject);
  await narrow.look('submission');
  {
    // Single keys, for people who want them.
    await narrow.page.evaluate(() => document.activeElement.blur());
    await narrow.page.keyboard.press('m');
    if (!(await narrow.page.evaluate(() => document.activeElement.id === 'matches'))) narrow.fault('m does not lead to the matches');
    await narrow.page.keyboard.press('j');
    if (!(await narrow.page.evaluate(() => document.activeElement.classList.contains('item')))) narrow.fault('j does not lead to an item');
    await narrow.decide('whole-accept', 'whole', 'looked at again');
  }
  await narrow.close();
}

await browser.close();
faults.forEach((text) => console.log(text));
