// The index generations that are written: those being built first.

import { $, h } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';
import { moment } from '../shared/format.js';
import { indexAddress } from '../shared/route.js';
import { Rows } from './rows.js';

const PHASES = {
  building: ['operations.phase_building', 'running'],
  live: ['operations.phase_live', 'ready'],
  soaking: ['operations.phase_soaking', 'waiting'],
};

export class Generations {
  constructor() {
    this.rows = new Rows($('ops-generations'), () => row());
  }

  show(generations) {
    this.rows.show(generations, (each) => `${each.knowledge_base} ${each.generation}`);
    $('ops-index-table').hidden = !generations.length;
    $('ops-no-generations').hidden = generations.length > 0;
  }

  clear() {
    this.rows.clear();
  }
}

function row() {
  const kb = h('a', {});
  const number = h('td', { class: 'ops-figure', labels: { 'data-label': 'operations.generation' } });
  const pill = h('span', { class: 'pill' });
  const rows = h('td', { class: 'ops-figure', labels: { 'data-label': 'operations.rows' } });
  const since = h('td', { class: 'ops-when' });
  const model = h('td', { class: 'ops-model' });
  return {
    element: h('tr', {}, h('td', {}, kb), number, h('td', {}, pill), rows, since, model),
    show(each) {
      kb.textContent = each.knowledge_base;
      kb.href = indexAddress(each.knowledge_base);
      bind(number, 'app.value', { value: each.generation });
      bind(pill, PHASES[each.phase][0]);
      pill.dataset.state = PHASES[each.phase][1];
      bind(rows, 'app.value', { value: each.rows ?? '–' });
      bind(since, 'app.value', { value: () => moment(each.since) });
      model.textContent = each.model || '–';
    },
  };
}
