import { App } from './app';
import { settingsFrom } from './settings';

const app = new App(settingsFrom(location.search));
void app.open();
