import { isObject } from '../checks/plain.js';
import type { Warning } from './description.js';

/** Where a model is computed: on the processor, or by one of onnxruntime's providers on a graphics card. */
export const devices = ['auto', 'cpu', 'webgpu', 'cuda', 'dml', 'coreml'] as const;

/** `auto`: the processor, unless a card was found to give the same and to be faster. */
export type Device = (typeof devices)[number];

/** onnxruntime's name of what computes. */
export type Provider = Exclude<Device, 'auto'>;

/** A provider on a card. */
export type Card = Exclude<Provider, 'cpu'>;

/** What a try of a card found, compared with the processor. */
export type Outcome =
  | {
      readonly result: 'agrees';
      /** How many times as fast as the processor it ran the text. */
      readonly speed: number;
      /** Tokens of that text. */
      readonly tokens: number;
      /** The largest difference of a token's log-probability, in nats. */
      readonly difference: number;
    }
  | { readonly result: 'differs' | 'failed'; readonly why: string };

/** All that the outcome of a try depends on. */
export interface Subject {
  readonly card: Card;
  /** Hash of the model. */
  readonly model: string;
  /** Of Gander and onnxruntime. */
  readonly versions: string;
  /** Of the cards and their drivers. */
  readonly driver: string;
}

export interface Tried {
  readonly card: Card;
  readonly outcome: Outcome;
}

/** What was asked for, what is used, and what was found about the cards that were tried. */
export interface DeviceUse {
  readonly asked: Device;
  readonly provider: Provider;
  readonly tried: readonly Tried[];
}

export const isSubject = (value: unknown): value is Subject =>
  isObject(value) && ['card', 'model', 'versions', 'driver'].every((name) => typeof value[name] === 'string');

export const isDeviceUse = (value: unknown): value is DeviceUse =>
  isObject(value) && isDevice(value['asked']) && isDevice(value['provider']) && Array.isArray(value['tried']);

export const isDevice = (name: unknown): name is Device => (devices as readonly unknown[]).includes(name);

/** From this speed on `auto` uses a card: a smaller gain is within the noise of one measurement. */
export const worthIt = 1.2;

/** What `auto` uses: the fastest of the cards that are worth it. */
export function fastest(tried: readonly Tried[]): Provider {
  const speed = ({ outcome }: Tried) => (outcome.result === 'agrees' ? outcome.speed : 0);
  const [best] = tried.toSorted((a, b) => speed(b) - speed(a));
  return best && speed(best) >= worthIt ? best.card : 'cpu';
}

/** Whether a person asked for a card and gets the processor. */
export const hasFallenBack = ({ asked, provider }: DeviceUse): boolean =>
  provider === 'cpu' && asked !== 'cpu' && asked !== 'auto';

/** In one line, for people. */
export function deviceText({ asked, provider, tried }: DeviceUse): string {
  const used = provider === 'cpu' ? 'the processor' : provider;
  if (tried.length === 0) return asked === 'auto' ? `${used}; no graphics card was tried with this model` : used;
  return `${used}; ${tried.map(triedText).join('; ')}`;
}

/** The one line about it. */
export const fallenBack = (use: DeviceUse): Warning => ({
  code: 'device-fallback',
  text: `computed by ${deviceText(use)}`,
});

function triedText({ card, outcome }: Tried): string {
  switch (outcome.result) {
    case 'agrees':
      return (
        `${card} ran ${outcome.tokens} tokens at ${times(outcome.speed)} × the processor’s speed, ` +
        `with log-probabilities that differ by ${outcome.difference.toExponential(0)} at most`
      );
    case 'differs':
      return `${card} computes something else: ${outcome.why}`;
    case 'failed':
      return `${card} failed: ${outcome.why}`;
  }
}

const times = (speed: number) => (speed < 0.995 ? speed.toPrecision(1) : speed.toFixed(1));
