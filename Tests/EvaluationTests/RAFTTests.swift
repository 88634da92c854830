import Compute
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import Evaluation

@Suite("RAFT")
struct RAFTTests {
}
