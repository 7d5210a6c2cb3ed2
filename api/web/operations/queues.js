// The task queues: a bar for the backlog, its age, the rates, and the workers.

import { $, h } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';
import { duration, moment } from '../shared/format.js';
import { Rows } from './rows.js';

const NAMES = {
  answer: 'operations.queue_answer',
  workflows: 'operations.queue_workflows',
  cpu: 'operations.queue_cpu',
  gpu: 'operations.queue_gpu',
  store: 'operations.queue_store',
};
const TASKS = { workflow: 'operations.tasks_workflow', activity: 'operations.tasks_activity' };
const STATES = {
  idle: 'operations.queue_idle',
  busy: 'operations.queue_busy',
  behind: 'operations.queue_behind',
  unattended: 'operations.queue_unattended',
};
const PILLS = { idle: 'ready', busy: 'running', behind: 'waiting', unattended: 'failed' };
const SHORTEST = 10; // a bar as long as the page stands for at least so many tasks

export class Queues {
  constructor() {
    this.rows = new Rows($('ops-queues'), () => row());
  }

  show(queues) {
    const longest = Math.max(SHORTEST, ...queues.map(({ backlog }) => backlog));
    this.rows.show(queues.map((queue) => ({ ...queue, longest })), ({ queue, kind }) => `${queue} ${kind}`);
  }

  clear() {
    this.rows.clear();
  }
}

function row() {
  const name = h('span', { class: 'ops-name' });
  const tasks = h('span', { class: 'help' });
  const pill = h('span', { class: 'pill' });
  const bar = h('progress', { labels: { 'aria-label': 'operations.queue_bar' } });
  const facts = h('p', { class: 'ops-facts' });
  const summary = h('summary', {});
  const workers = h('ul', { class: 'ops-workers' });
  const element = h('li', { class: 'ops-queue' },
    h('div', { class: 'ops-line' }, name, tasks, pill), bar,
    h('div', { class: 'ops-below' }, facts, h('details', {}, summary, workers)));
  return {
    element,
    show(queue) {
      element.dataset.state = queue.state;
      bind(name, NAMES[queue.queue] || 'app.value', { value: queue.queue });
      bind(tasks, TASKS[queue.kind]);
      bind(pill, STATES[queue.state]);
      pill.dataset.state = PILLS[queue.state];
      bar.max = queue.longest;
      bar.value = queue.backlog;
      facts.replaceChildren(
        h('span', { text: ['operations.backlog', { n: queue.backlog }] }),
        ...(queue.backlog ? [h('span', { text: ['operations.oldest', { age: () => duration(queue.age_seconds) }] })] : []),
        h('span', { text: ['operations.rates', { added: queue.added_per_second, dispatched: queue.dispatched_per_second }] }));
      bind(summary, 'operations.workers', { n: queue.workers.length });
      workers.replaceChildren(...queue.workers.map((worker) => h('li', {
        text: ['operations.worker', { identity: worker.identity, when: () => moment(worker.seen_at, 'medium') }],
      })));
    },
  };
}
