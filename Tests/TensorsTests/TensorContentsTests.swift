import Compute
import Tensors
import TestSupport
import Testing

@Suite("Tensor contents")
struct TensorContentsTests {
  @Test("Makers fill their shape")
  func makers() {
    #expect(Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3]).floats() == [1, 2, 3, 4, 5, 6])
    #expect(Tensor([1, 2]).shape == [2])
    #expect(Tensor.filled([2, 2], with: 3).floats() == [3, 3, 3, 3])
    #expect(Tensor.zeros([3]).floats() == [0, 0, 0])
    #expect(Tensor([7] as [Float], shape: []).floats() == [7])
    #expect(Tensor.zeros([2, 0, 3]).floats() == [])
    #expect(Tensor.zeros([2, 3]).byteCount == 24)
  }

  @Test("Normal tensors move the generator on by one stream")
  func normal() {
    var generator = RandomGenerator(seed: 4)
    let first = Tensor.normal([3, 5], from: &generator)
    #expect(generator == RandomGenerator(seed: 4, nextStream: 1))
    #expect(first.floats() == Tensor.random([15], seed: 4).floats())
  }

  @Test("Stored integers and float64 are read in their own type", arguments: DType.allCases)
  func elementTypes(dtype: DType) {
    let values = [0, 1, 2, 100, 127]
    let tensor = stored(values, as: dtype)
    #expect(tensor.dtype == dtype)
    #expect(tensor.floats() == values.map(Float.init))
    #expect(tensor.doubles() == values.map(Double.init))
    #expect(tensor.dense().dtype == .float32)
    switch dtype {
    case .float64, .float32, .float16, .bfloat16: break
    case .int64, .int32, .int16, .int8, .uint8, .bool: #expect(tensor.integers() == values)
    }
    // A view of every second element converts like the whole.
    let view = Tensor(storage: tensor.storage, layout: Layout(shape: [2], strides: [2], offset: 1), dtype: dtype)
    #expect(view.floats() == [1, 100])
  }

  @Test("Whole numbers beyond float32 survive in float64")
  func wideIntegers() {
    let value = (1 << 53) - 1
    let storage = Storage(byteCount: 8)
    storage.bytes.storeBytes(of: Int64(value), as: Int64.self)
    let tensor = Tensor(storage: storage, layout: Layout([1]), dtype: .int64)
    #expect(tensor.doubles() == [Double(value)])
    #expect(tensor.integers() == [value])
  }

  @Test("Storing rounds to nearest even and back is exact", arguments: [DType.bfloat16, .float16, .float32])
  func storing(dtype: DType) {
    let tensor = Tensor.random([7, 13])
    let rounded = tensor.stored(as: dtype)
    #expect(rounded.dtype == dtype && rounded.shape == tensor.shape)
    #expect(rounded.byteCount == tensor.count * dtype.byteCount)
    #expect(rounded.stored(as: .float32).stored(as: dtype).floats() == rounded.floats())
    // Half a unit in the last place of 8 or 11 significant bits; float16 has subnormal steps below that.
    let unit = dtype == .bfloat16 ? 0x1p-8 : dtype == .float16 ? 0x1p-11 : 0
    expectClose(rounded.dense(), tensor, absolute: 0x1p-25, relative: unit)
    #expect(tensor.transposed(0, 1).stored(as: dtype).floats() == rounded.transposed(0, 1).floats())
  }

  /// A tensor of small whole numbers in any element type.
  private func stored(_ values: [Int], as dtype: DType) -> Tensor {
    let storage = Storage(byteCount: values.count * dtype.byteCount)
    func write<Element>(_ convert: (Int) -> Element) {
      for (index, value) in values.enumerated() {
        storage.bytes.storeBytes(of: convert(value), toByteOffset: index * MemoryLayout<Element>.size, as: Element.self)
      }
    }
    switch dtype {
    case .float64: write { Double($0) }
    case .float32: write { Float($0) }
    case .float16, .bfloat16: return Tensor(values.map { Float($0) }).stored(as: dtype)
    case .int64: write { Int64($0) }
    case .int32: write { Int32($0) }
    case .int16: write { Int16($0) }
    case .int8: write { Int8($0) }
    case .uint8, .bool: write { UInt8($0) }
    }
    return Tensor(storage: storage, layout: Layout([values.count]), dtype: dtype)
  }
}
