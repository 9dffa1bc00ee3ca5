/** Type checks for plain data from another process. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

export const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

export const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
