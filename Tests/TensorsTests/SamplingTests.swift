import Compute
import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite("Reading between pixels")
struct SamplingTests {
  @Test("doubling mixes neighbours 3 to 1, halving averages four pixels, a quarter reads the middle four of sixteen")
  func resizing() {
    let row = Tensor([0, 4, 8, 12], shape: [1, 1, 4, 1])
    #expect(row.resizedBilinearly(height: 1, width: 8).floats() == [0, 1, 3, 5, 7, 9, 11, 12])
    let square = Tensor((0..<16).map { Float($0) }, shape: [1, 4, 4, 1])
    #expect(square.resizedBilinearly(height: 2, width: 2, times: 2).floats() == [5, 9, 21, 25])
    #expect(square.resizedBilinearly(height: 1, width: 1).floats() == [7.5])
    let clip = Tensor.random([3, 5, 7, 2])
    #expect(clip.resizedBilinearly(height: 5, width: 7).floats() == clip.floats())
  }

  @Test("frames and channels are resized each by itself")
  func resizingIsSeparate() {
    let clip = Tensor.random([2, 4, 6, 3])
    let whole = clip.resizedBilinearly(height: 7, width: 3)
    for frame in 0..<2 {
      for channel in 0..<3 {
        let part = clip.sliced(0, frame..<frame + 1).sliced(3, channel..<channel + 1)
        #expect(
          part.resizedBilinearly(height: 7, width: 3).floats()
            == whole.sliced(0, frame..<frame + 1).sliced(3, channel..<channel + 1).floats())
      }
    }
  }

  @Test("a flow moves where pixels are read; beyond the image its edge goes on; no number reads the first place")
  func warping() {
    let image = Tensor([0, 10, 20, 30, 40, 50], shape: [1, 2, 3, 1])
    func warped(_ x: Float, _ y: Float) -> [Float] {
      image.warped(by: Tensor([Float](repeating: 0, count: 6).flatMap { _ in [x, y] }, shape: [1, 2, 3, 2])).floats()
    }
    #expect(warped(0, 0) == [0, 10, 20, 30, 40, 50])
    #expect(warped(1, 0) == [10, 20, 20, 40, 50, 50])
    #expect(warped(-0.5, 0) == [0, 5, 15, 30, 35, 45])
    #expect(warped(0.5, 0.5) == [20, 30, 35, 35, 45, 50])
    #expect(warped(100, -100) == [20, 20, 20, 20, 20, 20])
    #expect(warped(.nan, .infinity) == [30, 30, 30, 30, 30, 30])
  }

  @Test("a flow may be any two channels of a tensor")
  func warpingByChannels() {
    let image = Tensor.random([1, 4, 5, 3])
    let fields = Tensor.random([1, 4, 5, 6], seed: 2)
    #expect(
      image.warped(by: fields, from: 3).floats() == image.warped(by: fields.sliced(3, 3..<5).dense()).floats())
  }

  @Test("pooling averages 2 x 2 places and leaves an odd row or column out")
  func pooling() {
    let planes = Tensor((0..<30).map { Float($0) }, shape: [2, 3, 5])
    #expect(planes.averagePooled().shape == [2, 1, 2])
    #expect(planes.averagePooled().floats() == [3, 5, 18, 20])
  }

  @Test("windows are read around points at each level's resolution, with zeros outside")
  func windows() {
    let plane = Tensor((0..<20).map { Float($0) }, shape: [1, 4, 5])
    let levels = [plane, plane.averagePooled()]
    let exact = Tensor.windows(of: levels, around: Tensor([2, 1], shape: [1, 2]), radius: 1)
    #expect(exact.shape == [1, 18])
    // The slow index moves x: (1, 0), (1, 1), (1, 2), then x = 2 and 3.
    #expect(exact.floats().prefix(9) == [1, 6, 11, 2, 7, 12, 3, 8, 13])
    // The second level is [3 5; 13 15] around (1, 0.5).
    #expect(exact.floats().suffix(9) == [1.5, 8, 6.5, 2.5, 10, 7.5, 0, 0, 0])
    let outside = Tensor.windows(of: [plane], around: Tensor([-1, -1], shape: [1, 2]), radius: 1)
    #expect(outside.floats() == [0, 0, 0, 0, 0, 0, 0, 0, 0])
    let between = Tensor.windows(of: [plane], around: Tensor([1.5, 1.25], shape: [1, 2]), radius: 0)
    #expect(between.floats() == [6.5 + 1.25])
    let lost = Tensor.windows(of: [plane], around: Tensor([.nan, .infinity], shape: [1, 2]), radius: 0)
    #expect(lost.floats() == [0])
  }

  @Test("each point reads its own plane")
  func planesOfPoints() {
    let planes = Tensor.random([70, 3, 4])
    let places = (0..<70).map { (x: $0 % 4, y: $0 % 3) }
    let points = Tensor(places.flatMap { [Float($0.x), Float($0.y)] }, shape: [70, 2])
    let found = Tensor.windows(of: [planes], around: points, radius: 0).floats()
    let values = planes.floats()
    let expected = places.enumerated().map { index, place in values[index * 12 + place.y * 4 + place.x] }
    #expect(found == expected)
  }

  @Test("with equal masks a fine flow is 8 times the mean of the nine coarse ones around it, zeros outside")
  func evenUpsampling() {
    let flow = Tensor([Float](repeating: 1, count: 24), shape: [1, 3, 4, 2])
    let fine = flow.convexlyUpsampled(mask: .zeros([1, 3, 4, 576]))
    #expect(fine.shape == [1, 24, 32, 2])
    let corner = fine.sliced(1, 0..<1).sliced(2, 0..<1).floats()
    let middle = fine.sliced(1, 12..<13).sliced(2, 12..<13).floats()
    #expect(corner.allSatisfy { abs($0 - 8 * 4 / 9) < 1e-5 } && middle.allSatisfy { abs($0 - 8) < 1e-5 })
  }

  @Test("a mask chooses one neighbour for each fine pixel")
  func chosenUpsampling() {
    let flow = Tensor.random([1, 2, 3, 2])
    // Fine pixel (a, b) of every place takes neighbour (a + b) % 9.
    func chosen(_ row: Int, _ column: Int) -> Int { (row % 8 + column % 8) % 9 }
    var logits = [Float](repeating: 0, count: 6 * 576)
    for place in 0..<6 {
      for fine in 0..<64 { logits[place * 576 + chosen(fine / 8, fine) * 64 + fine] = 100 }
    }
    let fine = flow.convexlyUpsampled(mask: Tensor(logits, shape: [1, 2, 3, 576])).floats()
    let coarse = flow.floats()
    for y in 0..<16 {
      for x in 0..<24 {
        let (row, column) = (y / 8 + chosen(y, x) / 3 - 1, x / 8 + chosen(y, x) % 3 - 1)
        let isInside = (0..<2).contains(row) && (0..<3).contains(column)
        let expected: Float = isInside ? 8 * coarse[(row * 3 + column) * 2 + 1] : 0
        let error = abs(fine[(y * 24 + x) * 2 + 1] - expected)
        #expect(error < 1e-4)
      }
    }
  }

  @Test("normalised channels have mean 0 and variance 1")
  func channelNormalization() {
    let clip = Tensor.random([1, 20, 30, 4], seed: 3).scaled(by: 3, adding: 7)
    let map = clip.channelNormalization(epsilon: 0)
    let normal = clip.transformed(PixelTransform(map, activation: .identity)).doubles()
    for channel in 0..<4 {
      let values = stride(from: channel, to: normal.count, by: 4).map { normal[$0] }
      let mean = values.reduce(0, +) / 600
      #expect(abs(mean) < 1e-6 && abs(values.reduce(0) { $0 + $1 * $1 } / 600 - 1) < 1e-5)
    }
  }
}
