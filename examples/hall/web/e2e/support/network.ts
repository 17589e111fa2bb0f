import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import { onTestFinished } from 'vitest'

import type { Hall } from './hall'

/** What lies between a browser and a hall, and can be cut. Ends with the test. */
export class Network {
  private readonly sockets = new Set<Socket>()
  private isCut = false
  private readonly server = createServer((near) => this.join(near))

  private constructor(private readonly hall: Hall) {}

  static async before(hall: Hall): Promise<Network> {
    const network = new Network(hall)
    network.server.listen(0, '127.0.0.1')
    await once(network.server, 'listening')
    onTestFinished(() => {
      network.cut()
      network.server.close()
    })
    return network
  }

  /** Where a browser finds the hall. */
  get baseURL(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`
  }

  /** Ends every connection, and lets no other come about. */
  cut(): void {
    this.isCut = true
    for (const socket of this.sockets) socket.destroy()
  }

  mend(): void {
    this.isCut = false
  }

  private join(near: Socket): void {
    if (this.isCut) {
      near.destroy()
      return
    }
    const far = connect(Number(new URL(this.hall.base).port), '127.0.0.1')
    near.pipe(far).pipe(near)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(socket)
      // What ends on one side ends on the other.
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        this.sockets.delete(socket)
        other.destroy()
      })
    }
  }
}
