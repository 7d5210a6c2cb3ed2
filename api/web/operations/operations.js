// The operations page: one stream of snapshots, shown by its parts. Nothing is read while nobody looks.

import { call } from '../shared/api.js';
import { $, h, notify } from '../shared/dom.js';
import { bind, t } from '../shared/i18n.js';
import { moment } from '../shared/format.js';
import { follow } from '../shared/sse.js';
import { FailuresView } from './failures.js';
import { Generations } from './generations.js';
import { Health } from './health.js';
import { JobsView } from './jobs.js';
import { Queues } from './queues.js';
import { ThroughputView } from './throughput.js';

const ROLES = ['operator', 'admin'];
const PARTS = {
  jobs: 'operations.jobs',
  queues: 'operations.queues',
  throughput: 'operations.throughput',
  failures: 'operations.failures',
  generations: 'operations.generations',
};

/** Whether a role may operate the platform. */
export const operates = (role) => ROLES.includes(role);

/** Whether who is signed in may operate the platform. */
export const mayOperate = async () => ((await call('GET', '/me').catch(() => null))?.roles || []).some(operates);

export class Operations {
  constructor() {
    this.link = null;
    this.health = new Health();
    this.parts = {
      jobs: new JobsView(),
      queues: new Queues(),
      throughput: new ThroughputView(),
      failures: new FailuresView(),
      generations: new Generations(),
    };
    document.addEventListener('visibilitychange', () => this.link && this.watch());
  }

  /** Show the platform until `close`. */
  open() {
    this.link = this.link || new AbortController();
    this.watch();
  }

  close() {
    this.link?.abort();
    this.link = null;
    this.health.clear();
    for (const view of Object.values(this.parts)) view.clear();
    $('ops-problems').replaceChildren();
    $('ops-body').hidden = true;
  }

  /** The server's sentences are asked for again in the other language. */
  relanguage() {
    if (this.link) this.watch();
    this.parts.throughput.relanguage();
  }

  /** Follow the snapshots anew; a hidden page does not. */
  async watch() {
    this.link.abort();
    const link = new AbortController();
    this.link = link;
    if (document.hidden) return;
    try {
      await follow('/operations/events', {
        signal: link.signal,
        onEvent: ({ event, data }) => {
          if (event === 'snapshot') this.show(data);
          this.seen(data.taken_at);
        },
        onLink: (isUp) => !isUp && bind($('ops-taken'), 'operations.reconnecting'),
      });
    } catch (problem) {
      if (link.signal.aborted || problem.status === 401) return;
      if (problem.status === 403) $('ops-denied').hidden = false;
      else notify(problem);
    }
  }

  seen(at) {
    bind($('ops-taken'), 'operations.taken', { when: () => moment(at, 'medium') });
  }

  show(info) {
    $('ops-temporal').href = info.temporal_url;
    $('ops-denied').hidden = true;
    $('ops-body').hidden = false;
    $('ops-problems').replaceChildren(...info.problems.map(({ part, detail }) =>
      h('li', { text: ['operations.problem', { part: () => t(PARTS[part]), detail }] })));
    this.health.show(info.dependencies);
    for (const [name, view] of Object.entries(this.parts)) {
      const part = document.querySelector(`[data-part="${name}"]`);
      part.dataset.missing = info[name] === null;
      if (info[name] !== null) view.show(info[name]);
    }
  }
}
