"""What other programs call the arguments and options of npvae: for errors that name the right one.

The one table serves Python, where ``latent_dim=`` is answered with z_dim, and the command line,
where ``--latent-dim`` is with --z-dim.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable
from typing import Any

from .errors import UnknownArgument

_NAMES = {
    "x_dim": "input_dim input_size input_shape n_input n_inputs in_dim in_features data_dim "
    "n_features num_features features dim",
    "z_dim": "latent_dim latent_dims latent_size latent n_latent num_latent latents latent_space "
    "z_size zdim z nz dim_z code_dim code_size n_components embedding_dim bottleneck n_z",
    "z_dims": "z_dim latent_dim latent_dims latent_size latent_sizes latents levels",
    "hidden": "hidden_dims hidden_dim hidden_size hidden_sizes hidden_units hidden_layers n_hidden "
    "hidden_layer_sizes layers layer_sizes units encoder_layers encoder_layer_sizes encoder_dims "
    "compress_dims decoder_layers decompress_dims num_hidden widths decoder_hidden encoder_hidden "
    "hidden_features",
    "activation": "activation_fn activation_function act nonlinearity act_fn activations",
    "likelihood": "distribution output_distribution decoder_dist dist recon_loss "
    "reconstruction_loss gene_likelihood output_type output_activation loss",
    "prior": "prior_distribution p_z prior_type",
    "posterior": "encoder_dist variational_family q_z guide flow flows",
    "context_dim": "condition_dim cond_dim c_dim n_classes num_classes conditional condition y_dim",
    "context": "condition conditions cond c y labels covariates",
    "missing": "mask nan missing_values handle_missing",
    "standardise": "standardize normalize normalise scaling scaler scale_data normalization",
    "init": "initializer initialiser kernel_initializer weight_init",
    "objective": "loss loss_fn loss_function criterion cost",
    "epochs": "n_epochs num_epochs max_epochs epoch nb_epoch n_epoch max_iter n_iter iterations "
    "num_iterations train_epochs",
    "batch_size": "batchsize batch bs minibatch minibatch_size n_batch",
    "lr": "learning_rate lr_init alpha eta step_size learning_rate_init",
    "valid": "validation_data validation valid_data val val_data x_val x_valid eval_set "
    "validation_set test_data x_test dev",
    "weights": "sample_weight sample_weights weight row_weights",
    "seed": "random_state random_seed rng manual_seed rand_seed",
    "threads": "n_jobs num_threads n_threads nthreads workers num_workers jobs cores nproc",
    "progress": "verbose progress_bar progressbar show_progress disp tqdm",
    "checkpoint": "checkpoint_path ckpt save_path checkpoint_dir model_path",
    "resume": "resume_from restore continue load_checkpoint from_checkpoint warm_start "
    "continue_training",
    "callbacks": "callback hooks",
    "optimiser": "optimizer optim solver",
    "binarise": "binarize binary dynamic_binarization stochastic_binarization",
    "weight_decay": "l2 l2_reg decay regularization reg l2scale l2_scale",
    "clip_norm": "grad_clip clip clipnorm max_grad_norm gradient_clip_val clip_grad gradient_clip",
    "beta": "kl_weight beta_kl kld_weight kl_beta kl_coef",
    "warmup": "kl_warmup kl_annealing anneal annealing n_epochs_kl_warmup beta_warmup",
    "free_bits": "freebits free_nats kl_min min_kl",
    "n_samples": "k num_samples samples n_mc_samples iw_samples n_importance_samples mc_samples",
    "n": "n_samples num_samples size count samples num rows n_rows num_rows sample_size",
    "samples": "n_samples num_samples importance_samples k",
    "take": "kind mode what",
    "patience": "early_stopping early_stop early_stopping_patience stop_after",
    "min_delta": "delta tol tolerance",
    "holdout": "validation_split val_split valid_split test_size test_split validation_fraction "
    "val_fraction validation_size val_size test_fraction valid_size hold_out split_ratio",
    "out": "output output_dir outdir out_dir save save_dir model_dir run_dir dest log_dir outfile "
    "output_file folder dir o to save_path",
    "data": "input input_file file csv path dataset train_data train in i data_path filename",
    "columns": "categorical cat_cols categorical_columns dtypes dtype types kinds column_types "
    "discrete_columns ordinal numeric feature_types usecols",
    "missing_cells": "na_values na missing_values nan_values null_values missing nulls na_rep",
    "encoding": "charset codec",
    "image_shape": "shape image_size img_size img_shape input_shape size resolution",
    "no_plots": "no_plot noplot skip_plots no_figures no_images",
    "quiet": "silent q no_progress",
    "rows": "n_rows max_rows limit head nrows subset",
    "split": "subset set partition fold",
    "pairs": "n n_pairs num_pairs",
    "steps": "n_steps num_steps",
    "rtol": "tol tolerance rel_tol threshold",
    "path": "filename file fname filepath",
    "train_loss": "loss training_loss elbo",
    "valid_loss": "val_loss validation_loss test_loss val",
    "train_rec": "rec recon reconstruction reconstruction_loss recon_loss train_reconstruction",
    "valid_rec": "val_rec val_reconstruction_loss val_recon_loss valid_reconstruction",
    "train_kl": "kl kl_loss kld kl_divergence kl_local",
    "valid_kl": "val_kl val_kl_loss val_kld",
    "seconds": "time duration",
}
"""Each name of npvae's with what others call the same; a name may have several meanings."""
_MEANINGS: dict[str, list[str]] = {}
for _name, _aliases in _NAMES.items():
    for _alias in _aliases.split():
        _MEANINGS.setdefault(_alias, []).append(_name)

_ADVICE = {
    "validation_split": "hold rows out yourself, such as nv.fit(model, x[:-200], valid=x[-200:])",
    "patience": "pass callbacks=[nv.EarlyStopping(patience=5)] to nv.fit",
    "beta": "pass objective=nv.ELBO(beta=...) to nv.fit",
    "warmup": "pass objective=nv.ELBO(beta=nv.Linear(0, 1, epochs=20)) to nv.fit",
    "free_bits": "pass objective=nv.ELBO(free_bits=...) to nv.fit",
    "n_samples": "pass objective=nv.ELBO(n_samples=...) or nv.IWAE(n_samples=...) to nv.fit",
    "weight_decay": "pass optimiser=nv.Adam(weight_decay=...) to nv.fit",
    "clip_norm": "pass optimiser=nv.Adam(clip_norm=...) to nv.fit",
    "lr": "pass it to nv.fit, such as nv.fit(model, x, lr=1e-3)",
    "epochs": "pass it to nv.fit, such as nv.fit(model, x, epochs=20)",
    "batch_size": "pass it to nv.fit, such as nv.fit(model, x, batch_size=64)",
    "optimiser": "pass it to nv.fit, such as nv.fit(model, x, optimiser=nv.Adam())",
    "objective": "pass it to nv.fit, such as nv.fit(model, x, objective='iwae')",
    "progress": "pass it to nv.fit, such as nv.fit(model, x, progress=True)",
    "threads": "pass it to nv.fit, such as nv.fit(model, x, threads=2)",
    "valid": "pass it to nv.fit, such as nv.fit(model, x, valid=held_out)",
    "device": "npvae computes on the CPU; leave it out",
    "shuffle": "every epoch has its rows in a new order; leave it out",
    "dropout": "npvae has no dropout; nv.Adam(weight_decay=...) and nv.EarlyStopping hold back",
    "batch_norm": "npvae has no batch normalisation; leave it out",
    "standardise": "pass standardise=True to nv.VAE",
    "x_dim": "rows have x_dim= in nv.VAE, images image_shape=(height, width) in nv.ConvVAE",
    "z_dim": "pass it to nv.VAE, such as nv.VAE(x_dim=64, z_dim=8)",
}
"""What to do where a name stands for nothing that the function takes itself."""

_METHODS = {
    "nv.fit(model, x)": "fit train fit_transform train_model partial_fit",
    "model.encode(x)": "transform encoder_forward embed get_latent_representation latent latents",
    "model.decode(z)": "inverse_transform generate_from",
    "model.reconstruct(x)": "predict reconstruction reconstructions forward_pass",
    "model.sample(n)": "generate sample_prior draw rvs",
    "nv.log_likelihood(model, x)": "log_prob log_likelihood score_samples marginal_ll",
    "model.elbo(x)": "score loss bound get_elbo",
    "nv.metrics(model, x)": "evaluate test",
    "print(model)": "summary describe",
    "model.params": "parameters weights state_dict get_weights named_parameters",
    "nv.load(path)": "load load_model load_state_dict from_file",
    "nv.value_and_grad(model, objective, x, eps)": "grad gradients step train_step",
}
"""Of a model, what does what others' models have a method or an attribute for."""

_VALUES = {
    "gaussian": "mse normal l2 mean_squared_error continuous",
    "laplace": "l1 mae",
    "bernoulli": "bce binary_crossentropy binary_cross_entropy bce_with_logits binary",
    "categorical": "softmax crossentropy cross_entropy multinomial",
    "one_hot": "onehot one_hot_categorical",
    "negative_binomial": "nb",
    "zero_inflated_negative_binomial": "zinb",
    "student_t": "t studentt student",
    "ordinal": "ordered",
    "silu": "swish",
    "leaky_relu": "lrelu leakyrelu",
    "standard": "normal gaussian standard_normal n01",
    "mixture": "mog gmm mixture_of_gaussians",
    "vamp": "vampprior",
    "iwae": "iwelbo importance_weighted",
    "elbo": "vae beta_vae evidence_lower_bound",
    "mmd": "wae wae_mmd infovae info_vae mmd_vae",
    "betatc": "tcvae beta_tcvae btcvae beta_tc tc total_correlation",
    "dip": "dip_vae dipvae dip_vae_i dip_vae_ii",
    "renyi": "vr vr_bound renyi_bound variational_renyi",
    "stl": "sticking_the_landing",
}
"""Names that are registered, with what others call the same."""


def value_meant(name: str, known: Collection[str]) -> str:
    """Which of the registered names another program's stands for, or else the name itself."""
    meant = (v for v, others in _VALUES.items() if name.lower() in others.split() and v in known)
    return next(meant, name)


def call_meant(name: str) -> str:
    """What to write for a method that a model does not have; empty where nobody knows."""
    found = next((call for call, names in _METHODS.items() if name in names.split()), "")
    return f"; say {found}" if found else ""


def meanings(name: str) -> list[str]:
    """The name itself, as Python writes it, and what it may mean."""
    plain = name.lstrip("-").lower().replace("-", "_")
    return [plain, *_MEANINGS.get(plain, ())]


def meant(name: str, known: Collection[str]) -> str | None:
    """Which of the known names is meant by another program's, or by a slip of the keyboard."""
    for meaning in meanings(name):
        if meaning in known:
            return meaning
    import difflib  # here, since it is needed for nothing else

    close = difflib.get_close_matches(meanings(name)[0], known, n=1, cutoff=0.75)
    return close[0] if close else None


def explain(function: Callable[..., Any], owner: Any, given: Iterable[str]) -> None:
    """Raise `UnknownArgument` if a keyword is none of the function's; it was not entered then.

    `owner` is the object that a constructor was called for, else None.
    """
    parameters = inspect.signature(function).parameters
    takes = [name for name, p in parameters.items() if name != "self" and p.kind != p.VAR_KEYWORD]
    wrong = next((name for name in given if name not in parameters), None)
    if wrong is None or any(p.kind == p.VAR_KEYWORD for p in parameters.values()):
        return
    called = _public_name(function if owner is None else type(owner))
    advice = next((_ADVICE[m] for m in meanings(wrong) if m in _ADVICE), None)
    exact = next((m for m in meanings(wrong) if m in takes), None)
    name = exact if exact or advice else meant(wrong, takes)
    if name is not None:
        raise UnknownArgument(f"{called} calls this {name}; got {wrong}=.")
    raise UnknownArgument(
        f"{called} takes no {wrong}="
        + (f": {advice}." if advice else f"; it takes {', '.join(takes)}.")
    )


def _public_name(named: Any) -> str:
    """What people write for a function or a class: nv.fit, nv.plots.latent, sample."""
    name, rooms = named.__name__, named.__module__.split(".")
    if rooms[0] != "npvae":
        return name
    if name in getattr(sys.modules.get("npvae"), "__all__", ()):
        return f"nv.{name}"
    return (
        f"nv.{rooms[1]}.{name}" if rooms[1] in ("datasets", "layers", "plots", "tables") else name
    )
