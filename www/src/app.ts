import { SwarmStore, SwarmStoreError } from 'swarmstore';
import type { Trouble } from './agent.worker';
import { QUEUES } from './flow';
import { regionById, type Order } from './picture';
import { latestRun, noteResumed, redrive, setPaused, startRun, type Run } from './run';
import type { Settings } from './settings';
import type { RunState, Snapshot } from './snapshot';
import { isFaulty, Swarm } from './swarm';
import { mountAgents } from './ui/agents';
import { clearBanner, showBanner, type BannerAction } from './ui/banner';
import { askForOrder, confirmReset } from './ui/dialogs';
import { byId, setText } from './ui/dom';
import { download } from './ui/download';
import { mountEvents } from './ui/events';
import { bytes, count, plural } from './ui/format';
import { mountLetters } from './ui/letters';
import { mountQueue } from './ui/queue';
import { mountReadouts } from './ui/readouts';
import { mountResult } from './ui/result';
import { Screen } from './ui/screen';
import { mountStore } from './ui/store';
import { mountTheme } from './ui/theme';
import { Watch } from './watch';

/** The page: opens the store, starts and resumes runs, and shows what the store says. */
export class App {
  readonly #settings: Settings;
  readonly #screen = new Screen();
  readonly #panels: ((snapshot: Snapshot) => void)[];
  readonly #showStore: (snapshot: Snapshot, store: SwarmStore) => void;
  #store: SwarmStore | undefined;
  #swarm: Swarm | undefined;
  #watch: Watch | undefined;
  #run: Run | undefined;
  #state: RunState | undefined;
  #faultyAtWork = false;
  /** Whether all queues are. */
  #paused = false;
  /** When a write was last refused by the disk. */
  #refusedAt = Infinity;

  constructor(settings: Settings) {
    this.#settings = settings;
    mountTheme();
    this.#panels = [
      (snapshot) => this.#screen.update(snapshot),
      mountReadouts(),
      mountResult(),
      mountAgents({
        isHere: (agent) => this.#swarm?.has(agent.id) === true,
        kill: (agent) => this.#kill(agent.id, agent.name ?? agent.id),
        add: (faulty) => this.#attempt(() => this.#add(faulty)),
      }),
      mountQueue(settings.leaseMs, (queue, paused) => this.#attempt(() => this.#pause([queue], paused))),
      mountLetters((ids) => this.#attempt(() => this.#redrive(ids))),
      mountEvents(),
    ];
    this.#showStore = mountStore({
      export: () => this.#attempt(() => this.#export()),
      checkIntegrity: () => this.#attempt(() => this.#checkIntegrity()),
      reset: () => this.#attempt(() => this.#reset()),
      persist: () => this.#attempt(() => this.#persist()),
    });
    const start = byId<HTMLButtonElement>('start');
    start.addEventListener('click', async () => {
      start.disabled = true;
      await this.#attempt(() => this.#start(settings.order));
      start.disabled = false;
    });
    byId('new-run').addEventListener('click', () => this.#attempt(() => this.#newRun()));
    byId('pause').addEventListener('click', () => this.#attempt(() => this.#pause(QUEUES, !this.#paused)));
  }

  /** Opens the store and goes on with what it holds. */
  async open(): Promise<void> {
    const { sqlite, swarmstore } = SwarmStore.version();
    setText(byId('version'), `${swarmstore}, SQLite ${sqlite}`);
    try {
      this.#store = await SwarmStore.open(this.#settings.store, { onFlushError: (error) => this.#report(error) });
    } catch (error) {
      document.body.dataset.store = 'closed';
      return this.#report(error);
    }
    delete document.body.dataset.store;
    this.#swarm = new Swarm(this.#store, this.#settings, (trouble) => this.#reportTrouble(trouble));
    this.#watch = new Watch(this.#store, (snapshot) => this.#show(snapshot), (error) => this.#report(error));
    await this.#attempt(() => this.#resume());
    this.#watch.start();
  }

  async #resume(): Promise<void> {
    const store = this.#store!;
    // The store is open here and nowhere else: whoever was at work before is gone.
    const lost = await this.#swarm!.sweep(0);
    this.#swarm!.watch();
    const run = await latestRun(store);
    this.#follow(run);
    if (!run) {
      if (this.#settings.autostart) await this.#start(this.#settings.order);
      return;
    }
    if (run.finished) return this.#say('This picture was finished before: it comes from the store.');
    const done = await store.tasks.count({ where: { parentTaskId: run.id, taskType: 'tile', status: 'completed' } });
    await noteResumed(store, run, done);
    this.#say(`${count(done)} of ${count(run.order.columns * run.order.rows)} tiles were in the store. It goes on from there.`);
    await this.#watch!.refresh();
    if (this.#paused) this.#say('The queues are paused, as they were before. Nothing is claimed until they are resumed.');
    await this.#swarm!.fill(Math.max(lost, this.#settings.agents));
  }

  async #start(order: Order): Promise<void> {
    this.#follow(await startRun(this.#store!, order));
    this.#say('Started. Kill an agent or reload the page: the work goes on.');
    await this.#watch!.refresh();
    if (this.#paused) this.#say('Ordered. The queues are paused: resume them, and it begins.');
    if (this.#swarm!.size === 0) await this.#swarm!.fill(this.#settings.agents);
  }

  async #newRun(): Promise<void> {
    const underWay = this.#run !== undefined && !this.#run.finished;
    const order = await askForOrder(this.#run?.order ?? this.#settings.order, underWay);
    if (order) await this.#start(order);
  }

  #kill(agentId: string, name: string): void {
    this.#swarm!.kill(agentId);
    this.#say(`${name} was killed. The store is not told: it will notice the silence and give the task to another.`);
  }

  async #add(faulty: boolean): Promise<void> {
    await this.#swarm!.spawn(faulty);
    if (faulty) this.#say('This one computes in half precision: its self-tests fail, and with them the tasks it claims.');
  }

  async #pause(queues: readonly string[], paused: boolean): Promise<void> {
    await setPaused(this.#store!, queues, paused);
    const which = queues.length === 1 ? `The ${queues[0]} queue is` : 'The queues are';
    if (paused) this.#say(`${which} paused. What is under way is finished, nothing more is claimed.`);
    else this.#say(`${which} open again.`);
    await this.#watch!.refresh();
  }

  async #redrive(ids: string[]): Promise<void> {
    if (!this.#run) return;
    const tasks = await redrive(this.#store!, this.#run, ids);
    this.#say(`${plural(tasks.length, 'dead letter')} redriven: pending again, with all attempts ahead.${this.#faultyAtWork ? ' Kill the faulty agent, or it will fail them again.' : ''}`);
    await this.#watch!.refresh();
  }

  async #export(): Promise<void> {
    const file = await this.#store!.exportFile();
    download(file, this.#settings.store);
    this.#say(`Exported ${bytes(file.size)}. The file opens with the sqlite3 command line.`);
  }

  async #checkIntegrity(): Promise<void> {
    const found = await this.#store!.maintain('integrity');
    this.#say(found.length === 1 && found[0] === 'ok' ? 'Integrity check: ok.' : `Integrity check: ${found.join('; ')}`);
  }

  async #persist(): Promise<void> {
    const granted = await this.#store!.persist();
    this.#watch!.forgetStorage();
    this.#say(granted ? 'The browser keeps the database for good.' : 'The browser did not agree; it usually does for sites that are visited often.');
  }

  async #reset(): Promise<void> {
    if (!(await confirmReset())) return;
    this.#watch?.stop();
    this.#swarm?.stop();
    await this.#store?.close();
    await SwarmStore.destroy(this.#settings.store);
    // A fresh page, and not one that starts by itself.
    const address = new URL(location.href);
    address.searchParams.delete('autostart');
    if (address.href === location.href) location.reload();
    else location.replace(address);
  }

  #follow(run: Run | undefined): void {
    this.#run = run;
    this.#watch!.follow(run);
    byId('welcome').hidden = run !== undefined;
    byId<HTMLButtonElement>('new-run').disabled = run === undefined;
    byId<HTMLButtonElement>('pause').disabled = run === undefined;
  }

  #show(snapshot: Snapshot): void {
    for (const panel of this.#panels) panel(snapshot);
    if (snapshot.health?.healthy && snapshot.healthAt > this.#refusedAt) this.#clearRefusal();
    this.#showStore(snapshot, this.#store!);
    const { run, stage, state } = snapshot;
    const title = run ? `${regionById(run.order.region).name}, ${run.order.columns} × ${run.order.rows} tiles${stage && `, ${stage}`}` : '';
    setText(byId('run-title'), title);
    this.#faultyAtWork = snapshot.agents.some((agent) => isFaulty(agent) && this.#swarm!.has(agent.id));
    this.#paused = snapshot.queues.every(({ paused }) => paused);
    setText(byId('pause'), this.#paused ? 'Resume' : 'Pause');
    byId('pause').classList.toggle('primary', this.#paused);
    if (state === this.#state) return;
    if (this.#state === 'running' && state === 'finished') this.#say('Finished: every tile is computed, verified and part of the picture.');
    if (state === 'stalled') this.#say('Nothing goes on until the dead letters are redriven.');
    this.#state = state;
    setText(byId('run-state'), state);
    byId('lamp').dataset.state = state;
  }

  #say(text: string): void {
    setText(byId('status'), text);
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    const code = error instanceof SwarmStoreError ? error.code : 'ERROR';
    this.#reportTrouble({ code, message: error instanceof Error ? error.message : String(error) });
    if (!(error instanceof SwarmStoreError)) console.error(error);
  }

  #reportTrouble({ code, message }: Trouble): void {
    if (code === 'QUOTA' || code === 'PERSISTENCE_LOST') this.#refusedAt = Date.now();
    showBanner(code, message, this.#remedies(code), this.#store !== undefined);
  }

  /** Everything is written again, be it by a retry or by a later write. */
  #clearRefusal(): void {
    this.#refusedAt = Infinity;
    clearBanner('QUOTA');
    clearBanner('PERSISTENCE_LOST');
    this.#say('Everything is written.');
  }

  #remedies(code: string): BannerAction[] {
    const reload = { label: 'Reload', run: () => location.reload() };
    const reset = { label: 'Delete everything', run: () => this.#attempt(() => this.#reset()) };
    switch (code) {
      case 'LOCKED':
      case 'UNAVAILABLE':
        return [{ label: 'Try again', run: () => this.#reopen(code) }];
      case 'CORRUPT':
        return [{ label: 'Save what can be rescued', run: () => this.#attempt(async () => download(await SwarmStore.rescue(this.#settings.store), `${this.#settings.store}-rescued`)) }, reset];
      case 'QUOTA':
      case 'PERSISTENCE_LOST':
        return [
          { label: 'Write it again', run: () => this.#attempt(async () => { await this.#store!.flush(); this.#clearRefusal(); }) },
          { label: 'Export database', run: () => this.#attempt(() => this.#export()) },
        ];
      case 'MIGRATION':
        return [reload, reset];
      case 'INTERNAL':
      case 'CLOSED':
        return [reload];
      default:
        return [];
    }
  }

  async #reopen(code: string): Promise<void> {
    clearBanner(code);
    await this.open();
  }
}
