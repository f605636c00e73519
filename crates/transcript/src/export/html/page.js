'use strict';
(() => {
  const form = document.getElementById('filter');
  if (!form) return;
  const get = id => document.getElementById(id);
  const rows = [...document.querySelectorAll('.log > li, tbody > tr[data-v]')];
  const texts = new Map();
  // the line, its marks and its payload; not the raw form, which says it all again
  const text = row => {
    if (!texts.has(row)) {
      const parts = row.matches('tr') ? [row] : row.querySelectorAll('.l, .marks, .p, .b > p');
      texts.set(row, [...parts].map(part => part.textContent).join('\n').toLowerCase());
    }
    return texts.get(row);
  };
  const apply = () => {
    const words = get('q').value.toLowerCase().split(/\s+/).filter(Boolean);
    const from = get('from') ? get('from').value : '';
    const only = get('only') ? get('only').value : '';
    const verbs = new Set([...form.querySelectorAll('[name=v]:checked')].map(box => box.value));
    const active = words.length || from || only || verbs.size;
    let shown = 0, all = 0;
    for (const row of rows) {
      const verb = row.dataset.v;
      const counts = verb !== undefined;
      const fits = !active || (counts || words.length) &&
        (!verbs.size || verbs.has(verb)) && (!from || row.classList.contains(from)) &&
        (!only || row.classList.contains(only)) && words.every(word => text(row).includes(word));
      row.hidden = !fits;
      all += counts;
      shown += counts && fits;
    }
    get('count').value = active ? `${shown} of ${all}` : '';
  };
  // who follows a link sees its target, whatever is filtered
  const reveal = () => {
    const target = location.hash && get(location.hash.slice(1));
    if (target && target.closest('[hidden]')) {
      form.reset();
      apply();
      target.scrollIntoView();
    }
  };
  form.addEventListener('input', apply);
  form.addEventListener('reset', () => setTimeout(apply));
  form.addEventListener('submit', event => event.preventDefault());
  window.addEventListener('hashchange', reveal);
  const each = (selector, open) => document.querySelectorAll(selector).forEach(one => { one.open = open; });
  if (get('open')) get('open').addEventListener('click', () => each('details.p', true));
  if (get('shut')) get('shut').addEventListener('click', () => each('.log details', false));
  form.hidden = false;
  apply();
})();
