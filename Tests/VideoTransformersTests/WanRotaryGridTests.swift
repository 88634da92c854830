import Compute
import Foundation
import Tensors
import Testing

@testable import VideoTransformers

@Suite("Wan rotary grid")
struct WanRotaryGridTests {
  private let grid = WanRotaryGrid(headSize: 128, frames: 3, rows: 2, columns: 4)

  @Test("of 128 channels 44 rotate with time, 42 with the row and 42 with the column")
  func split() {
    let target = grid.targetAngles()
    #expect(target.count == 24 * 64)
    func angles(_ frame: Int, _ row: Int, _ column: Int) -> [Double] {
      let token = (frame * 2 + row) * 4 + column
      return Array(target[token * 64..<(token + 1) * 64])
    }
    #expect(angles(0, 0, 0).allSatisfy { $0 == 0 })
    #expect(angles(2, 0, 0)[22...].allSatisfy { $0 == 0 })
    #expect(angles(2, 0, 0)[0] == 2)
    #expect(angles(0, 1, 0)[22] == 1)
    #expect(angles(0, 0, 3)[43] == 3)
    // The second frequency of 44 channels.
    #expect(abs(angles(1, 0, 0)[1] - pow(10000, -2.0 / 44)) < 1e-15)
  }

  @Test(
    "other head sizes give time what is left of thirds in pairs", arguments: [(16, 4), (32, 6), (10, 3), (128, 22)])
  func otherHeads(headSize: Int, timePairs: Int) {
    let angles = WanRotaryGrid(headSize: headSize, frames: 2, rows: 1, columns: 1).targetAngles()
    let second = angles[(headSize / 2)...]
    #expect(second.filter { $0 != 0 }.count == timePairs)
  }

  @Test(
    "the reference ends one latent frame before the target, each of several follows the one before", arguments: 1...3)
  func references(count: Int) {
    let angles = grid.referenceAngles(count: count, .temporalBias)
    let times = stride(from: 0, to: angles.count, by: 8 * 64).map { angles[$0] }
    #expect(times == (-3 * count..<0).map(Double.init))
    let target = grid.targetAngles()
    // Rows and columns are the target's.
    for token in 0..<8 {
      #expect(angles[token * 64 + 22..<(token + 1) * 64] == target[token * 64 + 22..<(token + 1) * 64])
    }
  }

  @Test("tables repeat each angle for both channels of a pair")
  func pairs() {
    let table = grid.targetTable()
    #expect(table.cosines.shape == [24, 128])
    let (cosines, angles) = (table.cosines.floats(), grid.targetAngles())
    for (index, angle) in angles.enumerated() {
      #expect(cosines[2 * index] == Float(cos(angle)))
      #expect(cosines[2 * index + 1] == cosines[2 * index])
    }
  }
}
