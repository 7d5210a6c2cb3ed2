// Links from jobs to their runs in Temporal's UI, for those who may read them there.

import { call } from './api.js';
import { h } from './dom.js';

const ROLES = ['auditor', 'operator', 'admin'];
let base = ''; // the address of the runs; empty for all others

/** Learn where the runs are, after somebody with these roles has signed in. */
export async function learnRuns(roles) {
  base = '';
  if (!roles.some((role) => ROLES.includes(role))) return;
  const views = await call('GET', '/audit/views').catch(() => null);
  base = views?.runs_url || '';
}

/** The address of a workflow's runs; empty if the reader may not see them. */
export const runAddress = (workflowId) => (base && workflowId ? `${base}/${encodeURIComponent(workflowId)}` : '');

/** A link to a run; `showRun` gives it its address. */
export const runLink = () => h('a', { class: 'run-link', target: '_blank', rel: 'noreferrer', hidden: true, text: 'runs.open' });

export function showRun(link, workflowId) {
  const address = runAddress(workflowId);
  link.hidden = !address;
  if (address) link.href = address;
}
