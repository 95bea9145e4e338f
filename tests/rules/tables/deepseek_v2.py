"""DeepSeek-V2: V3's tensors without a correction of the router."""
from tables import deepseek_v3
from tables._parts import GROUPED, meshes


def tensors(config): return deepseek_v3.tensors(config, corrected=False)


MODELS = {
    'DeepSeek-V2': {'config': deepseek_v3.V2, 'tensors': 29102, 'elements': 235_741_434_880, 'layouts': ['megatron_te_grouped_plain pp=4,tp=8', 'paddle_plain tp=8']},
    'DeepSeek-V2-Lite': {'config': deepseek_v3.LITE, 'tensors': 5291, 'elements': 15_706_484_224,
                         'layouts': [*meshes('megatron_te_grouped_plain', pp=(1,)), *meshes('paddle_plain', pp=(1,)), *GROUPED]},
}
