// Single keys: j and k go through the items, and the letters of the access keys work alone.
// Whoever does not want them turns them off; that is kept in this browser.
'use strict';
(() => {
  const kept = { get: () => { try { return localStorage.getItem('uniq-keys'); } catch { return null; } },
    set: (value) => { try { localStorage.setItem('uniq-keys', value); } catch { /* not kept then */ } } };
  let on = kept.get() !== 'off';

  const place = document.getElementById('single-keys');
  if (place) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'quiet';
    const label = () => { button.textContent = on ? place.dataset.off : place.dataset.on; };
    button.addEventListener('click', () => { on = !on; kept.set(on ? 'on' : 'off'); label(); });
    label();
    place.append(button);
  }

  const step = (by) => {
    const items = [...document.querySelectorAll('.item')];
    const now = items.findIndex((item) => item === document.activeElement || item.contains(document.activeElement));
    const next = items[now < 0 ? (by > 0 ? 0 : items.length - 1) : now + by];
    if (next) next.focus();
  };

  document.addEventListener('keydown', (event) => {
    const types = event.target.closest('input:not([type=radio]),textarea,select,[contenteditable]');
    if (!on || types || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (event.key === 'j' || event.key === 'k') {
      step(event.key === 'j' ? 1 : -1);
      event.preventDefault();
      return;
    }
    if (!/^[a-z]$/.test(event.key)) return;
    const wanted = document.querySelector(`[accesskey="${event.key}"]`);
    if (!wanted) return;
    event.preventDefault();
    if (wanted.matches('select')) { wanted.focus(); return; }
    wanted.click();
    const target = wanted.hash && wanted.pathname === location.pathname && document.getElementById(wanted.hash.slice(1));
    if (target) target.focus();
  });
})();
