/** What a deployment is made of, by size. docs: README.md, "Sizes". */

export interface Size {
  /** Of a task: 1024 is a whole processor. */
  cpu: number;
  /** Of a task, in MiB. */
  memory: number;
  /** What the server's collector may let grow, in MiB; the rest is for what it does not see. */
  goMemory: number;
  minTasks: number;
  maxTasks: number;
  /** Requests a minute and task above which another task is started. */
  requestsPerTask: number;
  /** Tasks in public subnets, closed by their security group; else in subnets without a way out, with endpoints. */
  publicTasks: boolean;
  database: string;
  multiAz: boolean;
  /** GB; grows by itself to the second. */
  storage: number;
  maxStorage: number;
  /** Set in the parameter group, so that it is no guess. */
  maxConnections: number;
  /** Days to which the database can be taken back, to the second. */
  backupDays: number;
  logDays: number;
  monthlyBudget: number;
}

export type SizeName = 'small' | 'standard';

/** A server opens 16 connections for requests and 6 for jobs (docs/operations.md). */
export const connectionsPerServer = 22;

/** What PostgreSQL and RDS keep for themselves of max_connections. */
export const reservedConnections = 5;

/** At a release old and new tasks run side by side. */
export const maxHealthyPercent = 200;

export const sizes: Record<SizeName, Size> = {
  small: {
    cpu: 512, memory: 2048, goMemory: 1500, minTasks: 1, maxTasks: 2, requestsPerTask: 3000, publicTasks: true,
    database: 't4g.micro', multiAz: false, storage: 20, maxStorage: 100, maxConnections: 100,
    backupDays: 7, logDays: 30, monthlyBudget: 120,
  },
  standard: {
    cpu: 1024, memory: 2048, goMemory: 1500, minTasks: 2, maxTasks: 6, requestsPerTask: 6000, publicTasks: false,
    database: 't4g.medium', multiAz: true, storage: 50, maxStorage: 500, maxConnections: 300,
    backupDays: 30, logDays: 90, monthlyBudget: 450,
  },
};
